/** Entities from upload to spans, over HTTP and by the command line, with a real base. */
import assert from "node:assert/strict";
import { after, describe, it, type TestContext } from "node:test";
import { systemClock } from "../src/foundation/clock.ts";
import { ProgramFolder } from "./exam-program.ts";
import { realBaseFolder } from "./exam-real-base.ts";

const cities = ["Berlin", "Lisbon", "Nairobi", "Osaka", "Quito", "Bergen", "Toronto", "Accra"];
const people = ["Anna", "Bob", "Chidi", "Dora", "Emil", "Farah", "Goran", "Hanna"];
const frames: readonly ((person: string, city: string) => readonly [string, string][])[] = [
  (person, city) => [
    ["", person],
    [" flew to ", city],
    [" on Monday.", ""],
  ],
  (person, city) => [
    ["The train from ", city],
    [" was late, said ", person],
  ],
  (person) => [
    ["Did ", person],
    [" call you?", ""],
  ],
  (_, city) => [
    ["It rains in ", city],
    [" and nowhere else.", ""],
  ],
  () => [["The meeting has been moved to the next week.", ""]],
];

/** Rows of texts with entities in code points. */
function rowsOf(): readonly Marked[] {
  return people.flatMap((person) =>
    cities.flatMap((city) =>
      frames.map((frame) => {
        let text = "";
        const entities: { start: number; end: number; label: string }[] = [];
        for (const [before, name] of frame(person, city)) {
          text += before;
          const start = text.length;
          text += name;
          const label = name === person ? "person" : "city";
          if (name !== "") entities.push({ start, end: text.length, label });
        }
        return { text, entities };
      }),
    ),
  );
}

let folder: ProgramFolder | undefined;
/** What the first test has trained. */
let model = "";

/** A server of the real base, which is called `tiny` there; undefined skips the test. */
async function served(context: TestContext): Promise<ProgramFolder | undefined> {
  const path = await realBaseFolder(context);
  if (path === undefined || folder !== undefined) return folder;
  folder = await ProgramFolder.create();
  const pulled = await folder.run(["base", "pull", "tiny", "--source", `dir:${path}`]);
  assert.equal(pulled.status, 0, pulled.errors);
  await folder.serve();
  return folder;
}

after(() => folder?.remove());

const text = "👋 Hanna and Émile-Zoë met in\r\nNairobi, not in cafe\u0301 東京.";

/** A model trained on the rows by a job; its name. */
async function trained({ client }: ProgramFolder): Promise<string> {
  const lines = rowsOf().map((row) => JSON.stringify(row));
  const bad = '{"text":"Ann","entities":[{"start":0,"end":9,"label":"person"}]}';
  const file = await client.uploadFile(Buffer.from([...lines, bad].join("\n")), "names.jsonl");
  assert.match(file.status_details ?? "", /1 of 321 rows cannot be used: line 321: entity 1: /);
  const job = await client.createJob({
    model: "tiny",
    training_file: file.id,
    suffix: "names",
    hyperparameters: { n_epochs: 3 },
  });
  const done = await client.waitForJob(job.id, { clock: systemClock, pollMs: 200 });
  assert.equal(done.status, "succeeded", done.error?.message);
  return done.fine_tuned_model ?? "";
}

/** The rows in CoNLL columns, a space of the text between two words. */
function columns(): string {
  const sentences = rowsOf().map(({ text: own, entities }) => {
    let start = 0;
    const lines = own.split(" ").map((word) => {
      const entity = entities.find((one) => one.start === start);
      start += word.length + 1;
      return `${word}\t${entity === undefined ? "O" : `B-${entity.label}`}`;
    });
    return lines.join("\n");
  });
  return sentences.join("\n\n");
}

describe("entities over HTTP", () => {
  it("are learned by a job, with a version at once and a trained one", async (context) => {
    const program = await served(context);
    if (program === undefined) return;
    const { client } = program;
    model = await trained(program);
    const { strata } = await client.model(model);
    assert.ok(strata.kind === "vplm" && strata.task === "token-classification");
    assert.deepEqual(strata.labels, ["city", "person"]);
    const versions = await client.versions(model);
    assert.deepEqual(
      versions.map(({ kind }) => kind),
      ["instant", "trained"],
    );
    for (const { metrics } of versions) assert.ok((metrics["devF1"] ?? 0) > 0.5);
  });

  it("are spans of the text in code points, each with its slice", async (context) => {
    const program = await served(context);
    if (program === undefined) return;
    const { data } = await program.client.classifyTokens({ model, input: [text, "It rains."] });
    const found = data[0]?.entities ?? [];
    const characters = Array.from(text);
    for (const { start, end, word } of found)
      assert.equal(characters.slice(start, end).join(""), word);
    const names = found.map(({ entity_group: label, word }) => `${label} ${word}`);
    assert.ok(names.includes("person Hanna"), names.join(", "));
    assert.ok(names.includes("city Nairobi"), names.join(", "));
    assert.deepEqual(data[1]?.entities, []);
  });

  it("are not labels: the right route is named", async (context) => {
    const program = await served(context);
    if (program === undefined) return;
    await assert.rejects(program.client.classify({ model, input: text }), {
      code: "INVALID_ARGUMENT",
      message: /its task is token-classification, which POST \/v1\/classify-tokens answers/,
    });
  });
});

describe("entities by the command line", () => {
  it("are learned from columns, shown, and marked in the text", async (context) => {
    const program = await served(context);
    if (program === undefined) return;
    const path = await program.write("names.conll", columns());
    const made = await program.run(["create", "names", "--base", "tiny", "--file", path]);
    assert.equal(made.status, 0, made.errors);
    assert.match(
      made.output,
      /names: token-classification on tiny, version 1\nlabels: city, person/,
    );
    assert.match((await program.run(["show", "names"])).output, /F1 \d+\.\d % on \d+ texts/);
    const further = ["train", "names", "--file", path, "--epochs", "2", "--wait"];
    const trained = await program.run(further);
    assert.equal(trained.status, 0, trained.errors);
    assert.match(
      trained.output,
      /version 2: (?:Not served|Served): .* than version 1 on \d+ texts/,
    );
    const line = await program.run(["predict", "names", text]);
    // Whether a wave that it has never read is a person is the model's to say: places are not.
    assert.match(line.output, /👋.* \[Hanna\]\(person [01]\.\d\d\)/);
    assert.match(line.output, /\[Nairobi\]\(city [01]\.\d\d\)/);
    const json = await program.run(["predict", "names", text, "--json"]);
    const [answer] = JSON.parse(json.output) as Marked[]; // what `predict` prints
    assert.equal(answer?.text, text);
    assert.ok(answer.entities.length >= 2);
  });

  it("are not learned for another task that is asked for", async (context) => {
    const program = await served(context);
    if (program === undefined) return;
    const path = await program.write("again.conll", columns());
    const words = ["create", "other", "--base", "tiny", "--file", path];
    const wrong = await program.run([...words, "--task", "text-classification"]);
    assert.equal(wrong.status, 2);
    assert.match(wrong.errors, /examples of token-classification, model "other" is of text-class/);
  });

  it("refuses a file of another task when it is submitted, and takes it back", async (context) => {
    const program = await served(context);
    if (program === undefined) return;
    const rows = ["fine", "bad"].flatMap((label) => [1, 2].map((n) => `${label} ${n},${label}`));
    const path = await program.write("mood.csv", `text,label\n${rows.join("\n")}\n`);
    const [jobs, files] = ["/v1/fine_tuning/jobs", "/v1/files"] as const;
    const countOf = async (route: typeof jobs | typeof files): Promise<number> =>
      (await program.client.call(`GET ${route}`, { query: {} })).data.length;
    const before = [await countOf(jobs), await countOf(files)];
    const wrong = await program.run(["train", model, "--file", path]);
    assert.equal(wrong.status, 2);
    assert.match(wrong.errors, /^Uploaded .*mood.csv: examples of text-classification$/m);
    assert.match(wrong.errors, /is of token-classification; create a model with this file/);
    assert.deepEqual([await countOf(jobs), await countOf(files)], before);
  });
});

interface Marked {
  readonly text: string;
  readonly entities: readonly { readonly start: number; readonly label: string }[];
}
