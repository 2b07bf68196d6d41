/** Checks the readers: formats, line numbers, reasons, and that hostile bytes throw nothing. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { limits } from "../foundation/limits.ts";
import type { Dataset } from "./datasets.ts";
import { detectFormat, readDataset, readDatasetInSteps } from "./read.ts";

const bytes = (text: string): Uint8Array => Buffer.from(text);
const jsonl = (text: string): Dataset => readDataset(bytes(text), "jsonl");
const csv = (text: string): Dataset => readDataset(bytes(text), "csv");
const pairs = (dataset: Dataset): string[] =>
  dataset.examples.map(({ text, label }) => `${text}=${label}`);

describe("JSON lines", () => {
  test("reads three shapes, ignores other fields, skips blank lines, byte mark and CRLF", () => {
    const chat = {
      messages: [
        { role: "system", content: "be brief" },
        { role: "user", content: "c1" },
        { role: "assistant", content: "go on" },
        { role: "user", content: "c2" },
        { role: "assistant", content: "z" },
      ],
    };
    const dataset = jsonl(
      `\ufeff{"text":"a","label":"x","extra":[1]}\r\n\r\n{"prompt":"b","completion":" y"}\n` +
        `${JSON.stringify(chat)}\n{"label":7,"text":"d"}`,
    );
    assert.deepEqual(pairs(dataset), ["a=x", "b=y", "c1\nc2=z", "d=7"]);
    assert.deepEqual(dataset.labels, ["7", "x", "y", "z"]);
    assert.equal(dataset.faultCount, 0);
  });

  test("names every bad line with its reason", () => {
    const long = "l".repeat(limits.labelCharactersMax + 1);
    const cases: readonly (readonly [string, RegExp])[] = [
      ["{", /not valid JSON/],
      ["[1]", /not a JSON object/],
      ['"text"', /not a JSON object/],
      ['{"label":"x"}', /text is missing/],
      ['{"x":1}', /text is missing/],
      ['{"text":5,"label":"x"}', /text is an integer/],
      ['{"text":" \\t","label":"x"}', /text is empty/],
      ['{"text":"a"}', /label is missing/],
      ['{"text":"a","label":null}', /label is null/],
      ['{"text":"a","label":true}', /label is a boolean/],
      ['{"text":"a","label":1.5}', /no integer/],
      ['{"text":"a","label":["x"]}', /label is an array/],
      ['{"text":"a","label":" "}', /label is empty/],
      [`{"text":"a","label":"${long}"}`, /label has 257 characters, the limit is 256/],
      ['{"text":"a\\u0000","label":"x"}', /text holds a NUL/],
      ['{"text":"a","label":"\\ud800"}', /lone surrogate/],
      ['{"text":"a\0","label":"x"}', /not valid JSON/],
      ['{"messages":{}}', /messages is not an array/],
      ['{"messages":[{"role":"user","content":"a"}]}', /no message of the assistant/],
      ['{"messages":[null,{"role":"assistant","content":"a"}]}', /no message of the user/],
    ];
    const good = '{"text":"good","label":"x"}';
    const dataset = jsonl(cases.map(([line]) => `${line}\n${good}\n`).join(""));
    assert.equal(dataset.examples.length, cases.length);
    assert.equal(dataset.faultCount, cases.length);
    cases.forEach(([line, reason], index) => {
      assert.equal(dataset.faults[index]?.line, 2 * index + 1, line);
      assert.match(dataset.faults[index]?.reason ?? "", reason, line);
    });
  });

  test("a line that is too long, too deep or not UTF-8 harms no other", () => {
    const deep = `{"text":"a","label":"x","deep":${"[".repeat(500_000)}`;
    const huge = `{"text":"${"a".repeat(limits.trainingLineBytesMax)}","label":"x"}`;
    const wordy = `{"text":"${"a".repeat(limits.inputCharactersMax + 1)}","label":"x"}`;
    const tail = '{"text":"ok","label":"x"}';
    const broken = Buffer.concat([
      bytes(`${deep}\n${huge}\n${wordy}\n{"text":"`),
      Buffer.from([0xff, 0xc3]),
      bytes(`","label":"x"}\n${tail}`),
    ]);
    const dataset = readDataset(broken, "jsonl");
    assert.deepEqual(pairs(dataset), ["ok=x"]);
    assert.deepEqual(
      dataset.faults.map(({ line }) => line),
      [1, 2, 3, 4],
    );
    assert.match(dataset.faults[1]?.reason ?? "", /the limit is 2097152/);
    assert.match(dataset.faults[2]?.reason ?? "", /the limit is 1000000/);
    assert.match(dataset.faults[3]?.reason ?? "", /UTF-8/);
  });

  test("reports the first faults and counts all", () => {
    const dataset = jsonl("{\n".repeat(1_000));
    assert.equal(dataset.faults.length, limits.reportedLineErrorCountMax);
    assert.equal(dataset.faultCount, 1_000);
  });
});

describe("CSV", () => {
  test("reads quoted cells over several lines and numbers records by their first line", () => {
    const dataset = csv(
      '\ufeffid,Text,Category\r\n1,"a, ""b""\r\nc",x\r\n\r\n2,,y\r\n3,d,z,4\r\n4,e,"w"\r\n5,f',
    );
    assert.deepEqual(pairs(dataset), ['a, "b"\nc=x', "e=w"]);
    assert.deepEqual(dataset.faults, [
      { line: 5, reason: "text is empty" },
      { line: 6, reason: "record has 4 columns, the header has 3" },
      { line: 8, reason: "record has 2 columns, the header has 3" },
    ]);
  });

  test("takes the separator that makes sense of the header", () => {
    assert.deepEqual(pairs(csv("label;text\nx;a, b\n")), ["a, b=x"]);
    assert.deepEqual(pairs(csv("\ntext\tclass\na;b\tx\n")), ["a;b=x"]);
  });

  test("needs a header", () => {
    for (const source of ["", "hello,x\n", "text,kind\na,b\n", "\0\0"]) {
      const dataset = csv(source);
      assert.equal(dataset.faults[0]?.line, 1);
      assert.match(dataset.faults[0].reason, /header does not name "text"/);
    }
  });

  test("a quote that is not closed or not doubled costs its line only", () => {
    const dataset = csv('text,label\na,x\n"b,x\nc,x\n"d" d,x\n5" disk,x\n"e,x\n"f",x\n"g,x\nh,x');
    assert.deepEqual(pairs(dataset), ["a=x", "c=x", '5" disk=x', "f=x", "h=x"]);
    assert.deepEqual(
      dataset.faults.map(({ line, reason }) => `${line} ${/goes on|not closed/.exec(reason)?.[0]}`),
      ["3 goes on", "5 goes on", "7 goes on", "9 not closed"],
    );
  });

  test("reports lines that are not UTF-8, and NUL", () => {
    const source = Buffer.concat([
      bytes('text,label\na,x\n"b\n'),
      Buffer.from([0xe9]),
      bytes('",x\nc\0,x\nd,x\n'),
      Buffer.from([0xe9, 0x2c, 0x78]),
    ]);
    const dataset = readDataset(source, "csv");
    assert.deepEqual(pairs(dataset), ["a=x", "d=x"]);
    assert.deepEqual(
      dataset.faults.map(({ line }) => line),
      [3, 5, 7],
    );
  });

  test("hostile records take linear time and harm no other", () => {
    const endless = `"${"b\n".repeat(limits.trainingLineBytesMax / 2)}`;
    const cases: readonly (readonly [string, number])[] = [
      [`"a" b,x\n`.repeat(200_000), 200_000],
      [`"a,x\n`.repeat(200_000), 200_000],
      [`"${'""'.repeat(1_500_000)}\n`, 1],
      [`${",".repeat(2_000_000)}\n`, 1],
      [`${"a".repeat(3_000_000)}\n`, 1],
      ["no-separator\n".repeat(200_000), 200_000],
      // Its first line, and then every line is a record of one cell.
      [endless, 1 + limits.trainingLineBytesMax / 2 - 1],
    ];
    for (const [body, faultCount] of cases) {
      const dataset = csv(`text,label\n${body}\nok,x\n`);
      assert.equal(dataset.faultCount, faultCount, body.slice(0, 20));
      assert.deepEqual(pairs(dataset), ["ok=x"], body.slice(0, 20));
    }
  });
});

test("the format comes from the name, else from the first character", () => {
  assert.equal(detectFormat("a.JSONL", bytes("text,label")), "jsonl");
  assert.equal(detectFormat("a.csv", bytes("{")), "csv");
  assert.equal(detectFormat("upload", bytes('\ufeff\n {"text"')), "jsonl");
  assert.equal(detectFormat("upload", bytes("text,label")), "csv");
});

test("whatever the bytes are, nothing is thrown and every example is valid", () => {
  const piece = fc.oneof(
    fc.uint8Array({ maxLength: 20 }),
    fc
      .constantFrom('{"text":"a","label":"b"}', "text,label\n", '"', "\n", "\r\n", "a,b\n", "[[{")
      .map(bytes),
  );
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 30 }), (pieces) => {
      for (const format of ["jsonl", "csv"] as const) {
        const dataset = readDataset(Buffer.concat(pieces), format);
        for (const { text, label } of dataset.examples)
          assert.ok(text.trim() !== "" && label.trim() === label && label !== "");
      }
    }),
    { numRuns: 500 },
  );
});

test("others run while a large file is read, and what is read is the same", async () => {
  const line = '{"text":"a text of some length","label":"x"}\n';
  const files = {
    jsonl: bytes(`${line.repeat(20_000)}{"text":7}\n${"\n".repeat(500_000)}${line}`),
    csv: bytes(`text,label\n${"some words,x\n".repeat(80_000)}y\n${"\n".repeat(500_000)}b,y`),
  };
  for (const format of ["jsonl", "csv"] as const) {
    let turnCount = 0;
    let turn = setImmediate(function count() {
      turnCount += 1;
      turn = setImmediate(count);
    });
    const dataset = await readDatasetInSteps(files[format], format);
    clearImmediate(turn);
    assert.ok(turnCount >= 5, `${format}: ${turnCount} turns`);
    assert.deepEqual(dataset, readDataset(files[format], format));
    assert.equal(dataset.faultCount, 1);
    const signal = AbortSignal.abort(new Error("enough"));
    await assert.rejects(readDatasetInSteps(files[format], format, signal), /enough/);
  }
});

test("what is written is read back, in both formats", () => {
  const cell = fc
    .string({ unit: "grapheme", minLength: 1, maxLength: 40 })
    .map((text) => text.replaceAll(/[\0\r]/g, ""))
    .filter((text) => text.trim() !== "");
  const example = fc.record({ text: cell, label: cell.map((text) => text.trim()) });
  const quoted = (text: string): string => `"${text.replaceAll('"', '""')}"`;
  fc.assert(
    fc.property(fc.array(example, { minLength: 1, maxLength: 20 }), (examples) => {
      const expected = examples.map(({ text, label }) => `${text}=${label}`);
      const lines = examples.map((row) => JSON.stringify(row)).join("\n");
      const records = examples.map((row) => `${quoted(row.text)},${quoted(row.label)}\n`).join("");
      assert.deepEqual(pairs(jsonl(lines)), expected);
      assert.deepEqual(pairs(csv(`text,label\n${records}`)), expected);
    }),
  );
});
