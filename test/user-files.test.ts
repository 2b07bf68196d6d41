/** Files of users in the compiled command line: what `create` takes, `predict` reads alike. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { gzipSync } from "node:zlib";
import { type Outcome, ProgramFolder } from "./exam-program.ts";

let folder: ProgramFolder;

const texts = Array.from(
  { length: 12 },
  (_, index) => `${index % 2 === 0 ? "lamp" : "the"} ${index}`,
);
const labelOf = (text: string): string => (text.startsWith("lamp") ? "light" : "other");
const csv = ["text,label", ...texts.map((text) => `${text},${labelOf(text)}`)].join("\n");
const lines = texts.map((text) => JSON.stringify({ text, label: labelOf(text) })).join("\n");
const utf16 = (text: string): Buffer => Buffer.from(`\ufeff${text}`, "utf16le");

async function told(words: readonly string[], input = ""): Promise<Outcome & { texts: string[] }> {
  const outcome = await folder.run([...words, "--json"], input);
  if (outcome.status !== 0) return { ...outcome, texts: [] };
  const found = JSON.parse(outcome.output) as { text: string }[]; // `predict` prints this.
  return { ...outcome, texts: found.map(({ text }) => text) };
}

before(async () => {
  folder = await ProgramFolder.create();
  const source = `dir:${join(folder.path, "tiny")}`;
  assert.equal((await folder.run(["base", "pull", "tiny", "--source", source])).status, 0);
  await folder.serve();
  const file = await folder.write("plain.csv", csv);
  const made = await folder.run(["create", "lamps", "--base", "tiny", "--file", file]);
  const note = `Uploaded ${file}: examples of text-classification\n`;
  assert.deepEqual([made.status, made.errors], [0, note]);
});

after(() => folder.remove());

describe("predict --file", () => {
  it("reads what create reads, header included, and plain lines", async () => {
    const files: readonly (readonly [string, string | Uint8Array])[] = [
      ["header.csv", csv],
      ["excel.csv", utf16(csv.replaceAll(",", "\t").replaceAll("\n", "\r\n"))],
      ["mac.csv", csv.replaceAll("\n", "\r")],
      ["lines.ndjson", `\ufeff${lines}`],
      [
        "array.json",
        JSON.stringify(
          texts.map((text) => ({ Prompt: text })),
          null,
          2,
        ),
      ],
      ["packed.jsonl.gz", gzipSync(lines)],
      ["notepad.txt", utf16(texts.join("\r\n"))],
      ["mac.txt", `\ufeff${texts.join("\r")}`],
    ];
    for (const [name, content] of files) {
      const { texts: read, errors } = await told([
        "predict",
        "lamps",
        "--file",
        await folder.write(name, content),
      ]);
      assert.deepEqual(read, texts, `${name}: ${errors}`);
    }
    assert.deepEqual((await told(["predict", "lamps"], `${lines}\n`)).texts, texts);
  });

  it("names the line that it cannot read", async () => {
    const files: readonly (readonly [string, string | Uint8Array, RegExp])[] = [
      ["cafe.txt", Buffer.from("the tea\nthe caf\xe9\n", "latin1"), /line 2, column 8: byte 0xE9/],
      ["cafe.csv", Buffer.from("text\ncaf\xe9\n", "latin1"), /line 2, column 4: byte 0xE9/],
      ["nan.jsonl", '{"text":"the"}\n{"text":NaN}\n', /line 2: .*NaN/],
      ["bare.csv", "the,other\n", /line 1 names no column for the text/],
      ["none.txt", "\n", /expected a text, got none/],
    ];
    for (const [name, content, reason] of files) {
      const path = await folder.write(name, content);
      const { status, errors } = await told(["predict", "lamps", "--file", path]);
      assert.equal(status, 2, name);
      assert.match(errors, reason);
    }
  });
});

describe("create --file", () => {
  it("shows what cannot be seen in a label", async () => {
    const path = await folder.write("unseen.csv", csv.replaceAll("light", "li\u200bght"));
    const made = await folder.run(["create", "unseen", "--base", "tiny", "--file", path]);
    assert.match(made.output, /labels: li\\u\{200b\}ght, other\n/);
    const { output } = await folder.run(["predict", "unseen", "lamp 0", "lamp 2"]);
    assert.match(output, /^li\\u\{200b\}ght\t/m);
    assert.ok(!(await folder.run(["list"])).output.includes("\u200b"));
  });

  it("tells what the user may not have meant, and creates", async () => {
    const odd = `${csv}\nlamp 0,OTHER\nthe 1,OTHER\n`;
    const path = await folder.write("odd.jsonl", odd);
    const made = await folder.run(["create", "odd", "--base", "tiny", "--file", path]);
    assert.equal(made.status, 0, made.errors);
    assert.match(made.errors, /Remarks on .*odd.jsonl/);
    assert.match(made.errors, /the name ends in .jsonl, the content is CSV/);
    assert.match(made.errors, /"OTHER" \(2\)/);
    assert.match(made.errors, /2 texts stand under more than one label/);
  });

  it("tells the same in the events of a job", async () => {
    const path = await folder.write("twice.csv", `${csv}\nlamp 0,other\nnobody\n`);
    const words = ["train", "lamps", "--file", path, "--epochs", "1", "--wait", "--json"];
    const trained = await folder.run(words);
    assert.equal(trained.status, 0, trained.errors);
    const { id } = JSON.parse(trained.output) as { id: string }; // `train` prints the job.
    const { output } = await folder.run(["show", id]);
    assert.match(output, /training_file, line 15: record has 1 columns/);
    assert.match(output, /training_file: 1 text stands under more than one label/);
  });

  it("names every label with too few examples, and what is no text", async () => {
    const files: readonly (readonly [string, string | Uint8Array, RegExp])[] = [
      ["rare.csv", `${csv}\na,odd\nb,rare\n`, /got 1 of "odd", 1 of "rare"/],
      ["one.csv", csv.replaceAll("light", "other"), /at least 2 labels, got 1 \("other"\)/],
      ["book.xlsx", Buffer.from("PK\x03\x04"), /Excel workbook; save it as CSV/],
      ["cafe.csv", Buffer.from(`${csv}\ncaf\xe9,light`, "latin1"), /line 14, column 4/],
    ];
    const told = /expected at least|; save/g;
    for (const [name, content, reason] of files) {
      const path = await folder.write(name, content);
      const { status, errors } = await folder.run([
        "create",
        "no",
        "--base",
        "tiny",
        "--file",
        path,
      ]);
      assert.equal(status, 2, name);
      assert.match(errors, reason);
      assert.equal(errors.match(told)?.length, 1, errors);
    }
  });
});
