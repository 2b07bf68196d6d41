/** Files as people have them: each is read as a person would, or refused by line and reason. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { gzipSync } from "node:zlib";
import { readDataset, readTexts } from "./exam-reading.ts";

async function* chunksOf(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += 5) yield bytes.subarray(at, at + 5);
}

const rows = ["the soup was cold", "the waiter was kind", "the bread was dry", "the host smiled"];
const labelOf = (row: string): string => (/cold|dry/.test(row) ? "bad" : "good");
const csv = ["text,label", ...rows.map((row) => `${row},${labelOf(row)}`)].join("\n");
const lines = rows.map((text) => JSON.stringify({ text, label: labelOf(text) })).join("\n");
const chat = (
  contentOf: (row: string) => unknown = (row) => row,
  more: readonly unknown[] = [],
): string =>
  rows
    .map((row) => {
      const turns = [{ role: "user", content: contentOf(row) }, ...more];
      return JSON.stringify({ messages: [...turns, { role: "assistant", content: labelOf(row) }] });
    })
    .join("\n");
const utf16 = (text: string, isBig = false): Buffer => {
  const bytes = Buffer.from(`\ufeff${text}`, "utf16le");
  return isBig ? bytes.swap16() : bytes;
};
const cp1252 = (text: string): Buffer => Buffer.from(text, "latin1");

interface Case {
  readonly file: string;
  readonly content: string | Uint8Array;
  /** The texts; by default the four rows above, without a word. */
  readonly texts?: readonly string[];
  readonly labels?: readonly string[];
  readonly faults?: readonly RegExp[];
  readonly warnings?: readonly RegExp[];
}

const extra = (text: string): string[] => [...rows, text];

const readable: readonly Case[] = [
  { file: "plain.csv", content: csv },
  { file: "plain.jsonl", content: lines },
  { file: "plain.CSV.txt", content: csv },
  { file: "unix-mark.csv", content: `\ufeff${csv}` },
  { file: "mac.csv", content: csv.replaceAll("\n", "\r") },
  { file: "windows.csv", content: csv.replaceAll("\n", "\r\n") },
  { file: "utf16le.csv", content: utf16(csv) },
  { file: "utf16be.csv", content: utf16(csv.replaceAll("\n", "\r\n"), true) },
  { file: "utf16le.jsonl", content: utf16(lines) },
  { file: "packed.jsonl.gz", content: gzipSync(lines) },
  { file: "packed-utf16.csv.gz", content: gzipSync(utf16(csv)) },
  {
    file: "packed-twice.csv",
    content: Buffer.concat([gzipSync(csv.slice(0, 30)), gzipSync(csv.slice(30))]),
  },
  { file: "one-line.json", content: `[${lines.replaceAll("\n", ",")}]` },
  {
    file: "pretty.json",
    content: JSON.stringify(JSON.parse(`[${lines.replaceAll("\n", ",")}]`), null, 4),
  },
  { file: "excel.csv", content: `sep=;\r\n${csv.replaceAll(",", ";").replaceAll("\n", "\r\n")}` },
  { file: "bars.psv", content: csv.replaceAll(",", "|") },
  { file: "tabs.tsv", content: csv.replaceAll(",", "\t") },
  { file: "dos.csv", content: `${csv}\n\x1a` },
  { file: "dos-open.csv", content: `${csv}\x1a` },
  { file: "category.jsonl", content: lines.replaceAll('"label"', '"category"') },
  {
    file: "case.jsonl",
    content: lines.replaceAll('"text"', '" Text"').replaceAll('"label"', '"INTENT"'),
  },
  { file: "case.csv", content: csv.replace("text,label", "Utterance, Class ") },
  { file: "index.csv", content: csv.replace("text", ",text").replaceAll(/\n/g, "\n7,") },
  { file: "trailing.csv", content: csv.replace("label", "label,") },
  { file: "trailing-rows.csv", content: csv.replaceAll(/(good|bad)/g, "$1,,") },
  { file: "spaced.csv", content: csv.replaceAll(/^(.*),(.*)$/gm, '"$1", "$2"') },
  { file: "chat.jsonl", content: chat() },
  { file: "parts.jsonl", content: chat((text: string) => [{ type: "text", text }]) },
  {
    file: "tools.jsonl",
    content: chat(undefined, [
      { role: "assistant", content: null, tool_calls: [{}] },
      { role: "tool", content: "5" },
      { role: "developer", content: "sort it" },
    ]),
  },
  {
    file: "true.jsonl",
    content: lines.replaceAll('"bad"', "false").replaceAll('"good"', "true"),
    labels: ["false", "true"],
  },
  {
    file: "names.jsonl",
    content: lines.replaceAll('"bad"', '"__proto__"').replaceAll("good", "constructor"),
    labels: ["__proto__", "constructor"],
  },
  { file: "inch.csv", content: `${csv}\na 9" pan,bad`, texts: extra('a 9" pan') },
  {
    file: "separator.jsonl",
    content: `${lines}\n{"text":"a\u2028b","label":"bad"}`,
    texts: extra("a\u2028b"),
  },
  { file: "lines.csv", content: lines, warnings: [/ends in .csv, the content is JSON/] },
  { file: "table.jsonl", content: csv, warnings: [/ends in .jsonl, the content is CSV/] },
  {
    file: "backslash.csv",
    content: `${csv}\n"they \\"cook\\" here",bad`,
    texts: extra('they "cook" here'),
    warnings: [/line 6: a quote is written \\"/],
  },
  {
    file: "stray.tsv",
    content: `${csv.replaceAll(",", "\t")}\n"half a pie\tbad\n"whole\tgood`,
    texts: [...extra('"half a pie'), '"whole'],
    warnings: [/line 6 and 1 more: a quote that opens here is not closed/],
  },
  {
    file: "joined.jsonl",
    content: `${lines}\n\ufeff${lines}`,
    texts: [...rows, ...rows],
    warnings: [/line 5: a byte order mark stands here/],
  },
  {
    file: "joined.csv",
    content: `${csv}\n\ufeff${csv}\n`,
    texts: [...rows, ...rows],
    warnings: [/line 6: a byte order mark/, /line 6: the header stands here again/],
  },
  { file: "nan.jsonl", content: `${lines}\n{"text":NaN,"label":"bad"}`, faults: [/^5: .*NaN/] },
  {
    file: "twice.jsonl",
    content: `${lines}\n{"label":"bad","label":"good","text":"a"}`,
    faults: [/^5: .*"label" stands twice/],
  },
  {
    file: "null.jsonl",
    content: `${lines}\n{"text":"a","label":null}`,
    faults: [/^5: label is null/],
  },
  {
    file: "mixed.jsonl",
    content: `${lines}\n{"text":"","query":"a","label":"bad"}`,
    faults: [/^5: "text" and "query"/],
  },
  { file: "nul.csv", content: `${csv}\na\0b,bad`, faults: [/^6: text holds a NUL/] },
  {
    file: "open.csv",
    content: csv.replace("the waiter", '"the waiter'),
    texts: rows.filter((row) => !row.includes("waiter")),
    faults: [/^3: a quote that opens here is not closed/],
  },
  {
    file: "swallow.csv",
    content: csv.replace("the waiter", '"the waiter').replace("was dry,", 'was dry",'),
    texts: rows.filter((row) => !/waiter|dry/.test(row)),
    labels: ["bad", "good"],
    faults: [/^3: a quote that opens here swallows lines up to line 4, one with label "good"/],
  },
  {
    file: "comma.csv",
    content: `${csv}\nhot, but late,bad`,
    faults: [/^6: record has 3 columns.*must be quoted/],
  },
  {
    file: "lost.jsonl",
    content: `${lines}\n{"text":"caf\ufffd","label":"bad"}`,
    texts: extra("caf\ufffd"),
    warnings: [/line 5: the text holds "\ufffd"/],
  },
  {
    file: "other-names.jsonl",
    content: `${lines}\n{"prompt":"a pie","completion":"bad"}`,
    texts: extra("a pie"),
    warnings: [/differently: text and label \(4\), prompt and completion \(1\)/],
  },
];

const refused: readonly (readonly [string, string | Uint8Array, RegExp])[] = [
  [
    "cp1252.csv",
    cp1252(`${csv}\ncaf\xe9,bad`),
    /line 6, column 4: byte 0xE9 is not UTF-8 \(in Windows-1252 it is "é"\); save/,
  ],
  ["dash.csv", cp1252(`${csv}\ntea \x96 cold,bad`), /line 6, column 5: byte 0x96 .*"–"/],
  ["cp1252.jsonl", cp1252(`{"text":"caf\xe9","label":"bad"}`), /line 1, column 13: byte 0xE9/],
  [
    "cut.csv",
    Buffer.from(`${csv}\ncafé`).subarray(0, -1),
    /line 6, column 4: the file ends within a character/,
  ],
  [
    "half.csv",
    Buffer.concat([utf16(csv), Buffer.from([0x00, 0xdc, 0x41, 0x00])]),
    /line 5, column 21: half of a character in UTF-16/,
  ],
  [
    "no-mark.csv",
    Buffer.from(csv, "utf16le"),
    /looks like UTF-16 without a byte order mark; save it as UTF-8/,
  ],
  ["utf32.csv", Buffer.from([0xff, 0xfe, 0, 0, 0x74, 0, 0, 0]), /it is UTF-32; save it as UTF-8/],
  ["book.csv", Buffer.from("PK\x03\x04…"), /Excel workbook; save it as CSV/],
  ["cut.csv.gz", gzipSync(csv).subarray(0, 40), /gzip is damaged or cut short/],
  [
    "twice.csv",
    csv.replace("text", "text,text"),
    /line 1 names 2 columns that could be the text: "text" \(column 1\) and/,
  ],
  [
    "two.csv",
    csv.replace("label", "label,category"),
    /"label" \(column 2\) and "category" \(column 3\); rename all but one/,
  ],
  [
    "none.csv",
    csv.slice(csv.indexOf("\n") + 1),
    /line 1 names no column .*\(found: "the soup was cold", "bad"\).* such as "text,label"$/,
  ],
  [
    "other.csv",
    `${csv}\nlabel,text\nbad,a`,
    /line 6 is a header with other columns; upload the files one by one/,
  ],
];

describe("training files", () => {
  for (const { file, content, texts, labels, faults = [], warnings = [] } of readable)
    test(file, async () => {
      const dataset = await readDataset(chunksOf(Buffer.from(content)), { filename: file });
      assert.deepEqual(
        dataset.examples.map(({ text }) => text),
        texts ?? rows,
      );
      assert.deepEqual(dataset.labels, labels ?? ["bad", "good"]);
      assert.equal(dataset.faultCount, faults.length);
      const told = dataset.faults.map(({ line, reason }) => `${line}: ${reason}`);
      faults.forEach((fault, index) => assert.match(told[index] ?? "", fault));
      assert.equal(dataset.warnings.length, warnings.length, dataset.warnings.join("; "));
      warnings.forEach((warning, index) => assert.match(dataset.warnings[index] ?? "", warning));
      // To predict from the same file reads the same texts, or names the same lines.
      const again = readTexts(chunksOf(Buffer.from(content)), { filename: file });
      const needsLabel = file === "null.jsonl" || file === "twice.jsonl";
      if (faults.length === 0) assert.deepEqual((await again).texts, texts ?? rows);
      else if (needsLabel) await again.catch(() => {});
      else await assert.rejects(again, new RegExp(`line ${/\d+/.exec(String(faults[0]))?.[0]}: `));
    });

  for (const [file, content, reason] of refused)
    test(file, async () => {
      const options = { filename: file, field: "training_file" };
      await assert.rejects(readDataset(chunksOf(Buffer.from(content)), options), (error) => {
        assert.ok(error instanceof Error && "field" in error);
        assert.equal(error.field, "training_file");
        assert.match(error.message, new RegExp(`^Cannot read "${file}": `));
        assert.match(error.message, reason);
        return true;
      });
    });
});

describe("labels", () => {
  const warningsOf = async (...labels: readonly unknown[]): Promise<readonly string[]> => {
    const all = labels.flatMap((label, index) => [
      { text: `a ${index}`, label },
      { text: `b ${index}`, label },
    ]);
    const content = Buffer.from(all.map((row) => JSON.stringify(row)).join("\n"));
    return (await readDataset(chunksOf(content), { filename: "a.jsonl" })).warnings;
  };

  test("one label in several spellings is told with counts", async () => {
    assert.deepEqual(await warningsOf("Mus\u00e9e", "Muse\u0301e", "Mus\u00e9e\u00a0", "bar"), [
      'label "Mus\u00e9e" is written in several ways, taken as one: ' +
        '"Mus\u00e9e" (2), "Muse\\u{301}e" (2), "Mus\u00e9e\\u{a0}" (2)',
    ]);
    assert.deepEqual(await warningsOf(1, "1", "0"), [
      'label "1" is written in several ways, taken as one: 1 (2), "1" (2)',
    ]);
  });

  test("labels that look alike are told with counts, and kept apart", async () => {
    for (const [one, other] of [
      ["GOOD", "good"],
      ["very good", "verygood"],
      ["very  good", "very good"],
      ['"good"', "good"],
      ["\u201cgood\u201d", "good"],
      ["good\u200b", "good"],
      ["g\u00adood", "good"],
      ["1.0", "1"],
      ["10.00", "10"],
      ["\uff47ood", "good"],
    ] as const) {
      const told = await warningsOf(one, other, "bad");
      assert.equal(told.length, 1, one);
      assert.match(told[0] ?? "", /^labels look alike and are kept apart: ".*" \(2\), ".*" \(2\)/);
    }
    assert.deepEqual(await warningsOf("10", "1", "1.5", "15", "good", "goods", "'", '"'), []);
    assert.match((await warningsOf("good\u200b", "good"))[0] ?? "", /"good\\u\{200b\}" \(2\)/);
  });

  test("texts under several labels are counted", async () => {
    const all = ["a", "a", "b", "b", "b", "c", "d"].map((text, index) => ({
      text,
      label: index % 2 === 0 ? "x" : "y",
    }));
    const content = Buffer.from(all.map((row) => JSON.stringify(row)).join("\n"));
    const { warnings } = await readDataset(chunksOf(content), { filename: "a.jsonl" });
    assert.deepEqual(warnings, ["2 texts stand under more than one label"]);
  });
});

describe("texts to classify", () => {
  const cases: readonly (readonly [string, string | Uint8Array, readonly string[]])[] = [
    ["a.txt", `\ufeff${rows.join("\r\n")}\r\n\r\n`, rows],
    ["a.txt", rows.join("\r"), rows],
    ["a.txt", utf16(rows.join("\r\n")), rows],
    ["a.txt.gz", gzipSync(rows.join("\n")), rows],
    ["a.txt", '{name}, hello\n"quoted"\n[1] two', ["{name}, hello", '"quoted"', "[1] two"]],
    ["stdin", lines, rows],
    ["stdin", `[${lines.replaceAll("\n", ",\n")}]`, rows],
    ["a.ndjson", '{"text":"a"}\r\n{"query":"b"}\n', ["a", "b"]],
    ["a.JSONL", '{"messages":[{"role":"user","content":"a"}]}', ["a"]],
    ["a.csv", 'id,text\n1,a\n2,"b\nc"', ["a", "b\nc"]],
    ["a.csv", "text\na b\nc\n", ["a b", "c"]],
    ["a.csv", "text,label,category\na,1,x\n", ["a"]],
  ];
  for (const [filename, content, expected] of cases)
    test(`${filename}: ${expected.join(" ")}`, async () => {
      const { texts } = await readTexts(chunksOf(Buffer.from(content)), { filename });
      assert.deepEqual(texts, expected);
    });

  test("a mark in the middle is told and taken off", async () => {
    const joined = chunksOf(Buffer.from("\ufeffa\n\ufeffb\n\x1a\n"));
    assert.deepEqual(await readTexts(joined, { filename: "a.txt" }), {
      texts: ["a", "b"],
      warnings: [
        "line 2: a byte order mark stands here; it is skipped, as where files were joined",
      ],
    });
  });

  test("what cannot be read is named by line", async () => {
    for (const [filename, content, reason] of [
      ["a.txt", cp1252("tea\ncaf\xe9\n"), /line 2, column 4: byte 0xE9/],
      ["a.txt", "a\nb\0c", /1 of 2 rows cannot be used: line 2: text holds a NUL/],
      ["a.jsonl", '{"text":"a"}\n{"label":"b"}', /line 2: text is missing/],
      [
        "a.csv",
        "just,words\n",
        /line 1 names no column for the text \(found: "just", "words"\).*such as "label,text"$/,
      ],
    ] as const)
      await assert.rejects(readTexts(chunksOf(Buffer.from(content)), { filename }), reason);
  });
});
