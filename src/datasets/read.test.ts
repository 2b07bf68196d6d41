/** Checks the readers: formats, line numbers, reasons, and that hostile bytes harm nobody. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { gzipSync } from "node:zlib";
import fc from "fast-check";
import { StrataError } from "../foundation/errors.ts";
import { limits } from "../foundation/limits.ts";
import type { Dataset } from "./datasets.ts";
import { labelledOf, readDataset, readTexts } from "./exam-reading.ts";

async function* chunksOf(bytes: Uint8Array, size = 1 << 16): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
}

const read = (content: string | Uint8Array, filename: string, size?: number): Promise<Dataset> =>
  readDataset(chunksOf(Buffer.from(content), size), { filename });
const jsonl = (text: string): Promise<Dataset> => read(text, "a.jsonl");
const csv = (text: string): Promise<Dataset> => read(text, "a.csv");
const pairs = (dataset: Dataset): string[] =>
  labelledOf(dataset).map(({ text, label }) => `${text}=${label}`);
const faults = (dataset: Dataset): string[] =>
  dataset.faults.map(({ line, item, reason }) =>
    item === undefined ? `${line}: ${reason}` : `${line}: ${reason} (item ${item} of the array)`,
  );

describe("JSON", () => {
  test("reads three shapes, skips other fields, blank lines, byte mark and CRLF", async () => {
    const chat = {
      messages: [
        { role: "system", content: "be brief" },
        { role: "user", content: "c1" },
        { role: "assistant", content: "go on" },
        { role: "user", content: "c2" },
        { role: "assistant", content: "z" },
      ],
    };
    const dataset = await jsonl(
      `\ufeff{"text":"a","label":"x","extra":[1]}\r\n\r\n{"prompt":"b","completion":" y"}\n` +
        `${JSON.stringify(chat)}\n{"label":7,"text":"d"}`,
    );
    assert.deepEqual(pairs(dataset), ["a=x", "b=y", "c1\nc2=z", "d=7"]);
    assert.deepEqual(dataset.labels, ["7", "x", "y", "z"]);
    assert.deepEqual(dataset.labelCounts, [1, 1, 1, 1]);
    assert.equal(dataset.faultCount, 0);
    assert.match(dataset.warnings[0] ?? "", /differently: text and label \(2\), prompt and comple/);
  });

  test("names every bad line with its reason", async () => {
    const long = "l".repeat(limits.labelCharactersMax + 1);
    const turn = (content: unknown, rest = {}): string =>
      JSON.stringify({
        messages: [
          { role: "user", content },
          { role: "assistant", ...rest },
        ],
      });
    const cases: readonly (readonly [string, RegExp])[] = [
      ["{", /not valid JSON: an object is not closed/],
      ["[1]", /not a JSON object/],
      ['"text"', /not a JSON object/],
      ["nonsense", /not valid JSON/],
      ['{"text":"a","label":"x}', /not valid JSON: a string is not closed/],
      ['{"text":"a" "label":"x"}', /not valid JSON/],
      ["{'text':'a','label':'x'}", /single quotes/],
      ['{"text":"a","label":NaN}', /NaN is no value in JSON/],
      ['{"text":"a","text":"b","label":"x"}', /the key "text" stands twice/],
      ['{"text":"a","label":"x","m":{"k":1,"k":2}}', /a key stands twice/],
      ['{"label":"x"}', /text is missing: expected one of "text", "prompt"/],
      ['{"x":1}', /text is missing/],
      ['{"text":5,"label":"x"}', /text is an integer/],
      ['{"text":" \\t","label":"x"}', /text is empty/],
      ['{"text":"a"}', /label is missing/],
      ['{"text":"a","label":null}', /label is null/],
      ['{"text":"a","label":1.5}', /no integer/],
      ['{"text":"a","label":["x","y"]}', /label is an array of 2 labels/],
      [
        '{"text":"a","label":9007199254740993}',
        /integer too large .* exactly: write it as a string/,
      ],
      ['{"text":"a","label":-1e300}', /integer too large .* exactly: write it as a string/],
      ['{"text":"a","label":1e400}', /number too large to be kept: write it as a string/],
      [
        '{"instruction":"sort","input":"a","output":"x"}',
        /^label is missing: .*"completion".*"messages"; found "instruction", "input", "output"$/,
      ],
      ["{}", /^text is missing: expected one of .* or chat in "messages"; found no field$/],
      ['{"text":"a","label":" "}', /label is empty/],
      ['{"text":"a","prompt":"b","label":"x"}', /"text" and "prompt" could both be the text/],
      ['{"text":"a","label":"x","Intent":"y"}', /"label" and "Intent" could both be the label/],
      [`{"text":"a","label":"${long}"}`, /label has 257 characters, the limit is 256/],
      ['{"text":"a\\u0000","label":"x"}', /text holds a NUL/],
      ['{"text":"a","label":"\\ud800"}', /lone surrogate/],
      ['{"text":"a\0","label":"x"}', /not valid JSON/],
      ['{"messages":{}}', /messages is not an array/],
      ['{"messages":[{"role":"user","content":"a"}]}', /no message of the assistant/],
      ['{"messages":[{"role":"assistant","content":"a"}]}', /no message of the user/],
      ['{"messages":[null,{"role":"assistant","content":"a"}]}', /is not an object/],
      ['{"messages":[{"role":"bot","content":"a"}]}', /the role "bot"/],
      [turn("a", { content: null, tool_calls: [] }), /last message has no content/],
      [turn("a", { content: "x", weight: 0 }), /has the weight 0/],
      [turn([{ type: "image_url", image_url: {} }], { content: "x" }), /part of type "image_url"/],
      [turn([{ type: "text" }], { content: "x" }), /text part without a text/],
      [turn(7, { content: "x" }), /neither a string nor an array/],
    ];
    const good = '{"text":"good","label":"x"}';
    const dataset = await jsonl(cases.map(([line]) => `${line}\n${good}\n`).join(""));
    assert.equal(dataset.examples.length, cases.length);
    assert.equal(dataset.faultCount, cases.length);
    cases.forEach(([line, reason], index) => {
      assert.equal(dataset.faults[index]?.line, 2 * index + 1, line);
      assert.match(dataset.faults[index]?.reason ?? "", reason, line);
    });
  });

  test("an array, objects over several lines, or several on one, are the same rows", async () => {
    const rows = [
      { text: 'say "]" and \\', label: "x", tags: [[1], { a: {} }] },
      { text: "{b", label: "y" },
      { text: "c\u2028d", label: "x" },
    ];
    const expected = ['say "]" and \\=x', "{b=y", "c\u2028d=x"];
    const written = [
      rows.map((row) => JSON.stringify(row)).join("\n"),
      rows.map((row) => JSON.stringify(row)).join(",\n"),
      rows.map((row) => JSON.stringify(row)).join(""),
      rows.map((row) => JSON.stringify(row, null, 2)).join("\n"),
      JSON.stringify(rows),
      JSON.stringify(rows, null, 1),
      JSON.stringify(rows, null, 2).replaceAll("\n", "\r"),
      `[\n${rows.map((row) => JSON.stringify(row)).join(",\n")}\n]\n`,
    ];
    for (const content of written)
      for (const size of [1, 7, 1 << 16]) {
        const dataset = await read(content, "rows.json", size);
        assert.deepEqual(pairs(dataset), expected, content);
        assert.deepEqual(dataset.faults, [], content);
        assert.deepEqual(dataset.warnings.slice(0, -1), [], content);
      }
  });

  test("a bad item of an array, or object over several lines, costs itself only", async () => {
    const good = (text: string) => JSON.stringify({ text, label: "x" }, null, 1);
    const bad = '{\n "text": "b\nb",\n "label": "x"\n}';
    const open = '{\n "text": "b",\n "label": [\n';
    for (const [broken, reason] of [
      [bad, "a string is not closed"],
      [open, "an object is not closed"],
    ] as const) {
      const lines = await jsonl([good("a"), broken, good("c")].join("\n"));
      assert.deepEqual(pairs(lines), ["a=x", "c=x"]);
      assert.deepEqual(faults(lines), [`5: line is not valid JSON: ${reason}`]);
    }
    const array = await read(`[${good("a")},\nNaN, ["q"],\n${good("c")}]`, "a.json");
    assert.deepEqual(pairs(array), ["a=x", "c=x"]);
    assert.deepEqual(faults(array), [
      "5: line is not valid JSON (item 2 of the array)",
      '5: line is not a JSON object, nor a pair [text, {"entities": …}] (item 3 of the array)',
    ]);
    const cut = await read(`[${good("a")},\n{"text":"b`, "a.json");
    assert.match(faults(cut)[0] ?? "", /5: .*cut short \(item 2/);
    assert.match(cut.warnings[0] ?? "", /line 1: the array is not closed/);
  });

  test("a line that is too long or too deep harms no other", async () => {
    const deep = `{"text":"a","label":"x","deep":${"[".repeat(500_000)}`;
    const nested = `{"text":"a","label":"x","deep":${"[".repeat(50)}${"]".repeat(50)}}`;
    const wide = `{"text":"a","label":"x","wide":[${"0,".repeat(20_000)}0]}`;
    const huge = `{"text":"${"a".repeat(limits.trainingLineCharactersMax)}","label":"x"}`;
    const wordy = `{"text":"${"a".repeat(limits.inputCharactersMax + 1)}","label":"x"}`;
    const tail = '{"text":"ok","label":"x"}';
    const dataset = await jsonl([deep, nested, wide, huge, wordy, tail].join("\n"));
    assert.deepEqual(pairs(dataset), ["ok=x"]);
    const expected = [/not closed/, /limit of 32/, /limit of 20000/, /2097152/, /1000000/];
    expected.forEach((reason, index) => {
      assert.equal(dataset.faults[index]?.line, index + 1);
      assert.match(dataset.faults[index].reason, reason);
    });
  });

  test("reports the first faults and counts all", async () => {
    const dataset = await jsonl("{\n".repeat(1_000));
    assert.equal(dataset.faults.length, limits.reportedLineErrorCountMax);
    assert.equal(dataset.faultCount, 1_000);
  });
});

describe("CSV", () => {
  test("reads quoted cells over several lines, numbers records by their first", async () => {
    const dataset = await csv(
      '\ufeffid,Text,Category\r\n1,"a, ""b""\r\nc",x\r\n\r\n2,,y\r\n3,d,z,4\r\n4,e,"w"\r\n5,f',
    );
    assert.deepEqual(pairs(dataset), ['a, "b"\nc=x', "e=w"]);
    assert.deepEqual(faults(dataset), [
      "5: text is empty",
      "6: record has 4 columns, the header has 3; a cell that holds the separator must be quoted",
      "8: record has 2 columns, the header has 3",
    ]);
  });

  test("takes the separator that makes sense of the header", async () => {
    assert.deepEqual(pairs(await csv("label;text\nx;a, b\n")), ["a, b=x"]);
    assert.deepEqual(pairs(await csv("\ntext\tclass\na;b\tx\n")), ["a;b=x"]);
    assert.deepEqual(pairs(await csv("text|class\na;b|x\n")), ["a;b=x"]);
    assert.deepEqual(pairs(await csv("sep=^\ntext^class\na;b^x\n")), ["a;b=x"]);
  });

  test("a quote that is not closed or not doubled costs its line only", async () => {
    const dataset = await csv(
      'text,label\na,x\n"b,x\nc,x\n"d" d,x\n5" disk,x\n"e,x\n"f",x\n"g,x\nh,x',
    );
    assert.deepEqual(pairs(dataset), ["a=x", "c=x", '5" disk=x', "f=x", "h=x"]);
    assert.deepEqual(
      faults(dataset).map((fault) => /\d+: .*(goes on|not closed)/.exec(fault)?.slice(0, 2)),
      [
        ["3: a quoted cell goes on", "goes on"],
        ["5: a quoted cell goes on", "goes on"],
        ["7: a quoted cell goes on", "goes on"],
        ["9: a quote that opens here is not closed", "not closed"],
      ],
    );
  });

  test("a cell of several lines is a fault if one of them has a label of the file", async () => {
    const swallow = 'text,label\n"a,x\nb",y\n"Dear Sir,\nplease",x\n';
    const dataset = await csv(swallow);
    assert.deepEqual(pairs(dataset), ["Dear Sir,\nplease=x"]);
    assert.deepEqual(faults(dataset), [
      '2: a quote that opens here swallows lines up to line 3, one with label "x"',
    ]);
    const first = await csv('label,text\nx,"a\ny,b"\ny,"c\nd"\nx,e\n');
    assert.deepEqual(pairs(first), ["c\nd=y", "e=x"]);
    assert.deepEqual(first.labelCounts, [1, 1]);
    const apart = await csv('id,text,label,notes\n1,a,x,"n\nm"\n2,b,y,"n\n3,x"\n');
    assert.deepEqual(pairs(apart), ["a=x", "b=y"]);
    assert.equal(apart.faultCount, 0);
  });

  test("hostile records take linear time and harm no other", async () => {
    const lengthMax = limits.trainingLineCharactersMax;
    const endless = `"${"b\n".repeat(lengthMax / 8)}`;
    const cases: readonly (readonly [string, number])[] = [
      [`"a" b,x\n`.repeat(200_000), 200_000],
      [`"a,x\n`.repeat(200_000), 200_000],
      [`"${'""'.repeat(1_500_000)}\n`, 1],
      [`${",".repeat(2_000_000)}\n`, 1],
      [`${"a".repeat(3_000_000)}\n`, 1],
      ["no-separator\n".repeat(200_000), 200_000],
      // Its first line, and then every line is a record of one cell.
      [endless, 1 + lengthMax / 8 - 1],
    ];
    for (const [body, faultCount] of cases) {
      const dataset = await csv(`text,label\n${body}\nok,x\n`);
      assert.equal(dataset.faultCount, faultCount, body.slice(0, 20));
      assert.deepEqual(pairs(dataset), ["ok=x"], body.slice(0, 20));
    }
  });
});

describe("limits", () => {
  test("the first one that is passed ends the reading, by name and line", async () => {
    const { labelCountMax, trainingExampleCountMax } = limits;
    let sentCount = 0;
    async function* labels(): AsyncGenerator<Uint8Array> {
      yield Buffer.from("text,label\n");
      for (; sentCount < 1_000_000; sentCount++) yield Buffer.from(`some text,l${sentCount}\n`);
    }
    await assert.rejects(
      readDataset(labels(), { filename: "a.csv", field: "file" }),
      /line 1002 brings label 1001, the limit is 1000 labels/,
    );
    // What was already on its way when the limit was passed.
    assert.ok(sentCount < 2 * labelCountMax, `${sentCount} rows were asked for`);
    const many = `{}\n`.repeat(trainingExampleCountMax + 1);
    await assert.rejects(jsonl(many), /line 1000001 is past the limit of 1000000 examples/);
  });

  test("a reader that stops closes what it reads from", async () => {
    const files = [
      "PK\u0003\u0004 workbook",
      "a,b\n",
      "text,label\n".padEnd(9_000, "a"),
      gzipSync("a,b\n"),
      gzipSync("text,label\na,b\n"),
    ];
    for (const content of files) {
      let isClosed = false;
      async function* source(): AsyncGenerator<Uint8Array> {
        try {
          for (;;) yield Buffer.from(content);
        } finally {
          isClosed = true;
        }
      }
      await assert.rejects(
        readDataset(source(), { filename: "a.csv", signal: AbortSignal.timeout(50) }),
      );
      assert.ok(isClosed, String(content.slice(0, 10)));
    }
  });
});

test("an error of what is read passes as it is, gzip or not", async () => {
  for (const bytes of [Buffer.from("text,label\na,b\n"), gzipSync("text,label\na,b\n")]) {
    async function* source(): AsyncGenerator<Uint8Array> {
      yield bytes;
      throw new StrataError("CORRUPT", "Cannot read: rotten");
    }
    await assert.rejects(readDataset(source(), { filename: "a" }), { code: "CORRUPT" });
  }
});

test("whatever the bytes are, every example is valid, and errors are ours", async () => {
  const piece = fc.oneof(
    fc.uint8Array({ maxLength: 20 }),
    fc
      .constantFrom('{"text":"a","label":"b"}', "text,label\n", '"', "\n", "\r\n", "a,b\n", "[[{")
      .map((text) => Buffer.from(text)),
  );
  await fc.assert(
    fc.asyncProperty(
      fc.array(piece, { maxLength: 30 }),
      fc.integer({ min: 1, max: 99 }),
      async (all, size) => {
        for (const name of ["a.jsonl", "a.csv", "a.txt", "a"])
          try {
            const dataset = await read(Buffer.concat(all), name, size);
            for (const { text, label } of labelledOf(dataset))
              assert.ok(text.trim() !== "" && label.trim() === label && label !== "");
          } catch (error) {
            assert.ok(error instanceof StrataError, String(error));
          }
      },
    ),
    { numRuns: 300 },
  );
});

test("what is written is read back, in both formats, however it arrives", async () => {
  const cell = fc
    .string({ unit: "grapheme", minLength: 1, maxLength: 40 })
    .map((text) => text.replaceAll(/[\0\r\ufeff]/g, ""))
    .filter((text) => text.trim() !== "");
  const label = cell.map((text) => text.trim().normalize("NFC"));
  const example = fc.record({ text: cell, label });
  const quoted = (text: string): string => `"${text.replaceAll('"', '""')}"`;
  const examples = fc.array(example, { minLength: 1, maxLength: 20 });
  await fc.assert(
    fc.asyncProperty(examples, fc.integer({ min: 1, max: 300 }), async (rows, size) => {
      const expected = rows.map((row) => `${row.text}=${row.label}`);
      const lines = rows.map((row) => JSON.stringify(row)).join("\n");
      const records = rows.map((row) => `${quoted(row.text)},${quoted(row.label)}\n`).join("");
      assert.deepEqual(pairs(await read(lines, "a.jsonl", size)), expected);
      assert.deepEqual(pairs(await read(`text,label\n${records}`, "a.csv", size)), expected);
      const { texts } = await readTexts(chunksOf(Buffer.from(lines), size), { filename: "a" });
      assert.deepEqual(
        texts,
        rows.map(({ text }) => text),
      );
    }),
  );
});
