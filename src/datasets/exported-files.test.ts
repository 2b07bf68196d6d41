/** Exports that look like files of another kind: read as they are meant, refused, or told. */
import assert from "node:assert/strict";
import { Readable } from "node:stream";
import { describe, test } from "node:test";
import { type Dataset, faultSummary } from "./datasets.ts";
import { labelledOf, markedOf, readDataset } from "./exam-reading.ts";

function readFile(content: string, filename: string): Promise<Dataset> {
  return readDataset(Readable.from([Buffer.from(content)]), { filename, field: "file" });
}

function readRows(...rows: readonly unknown[]): Promise<Dataset> {
  return readFile(rows.map((row) => JSON.stringify(row)).join("\n"), "a.jsonl");
}

/** A CSV file of two columns. */
function readCells(...labels: readonly string[]): Promise<Dataset> {
  const records = labels.map((label, at) => `Rome rocks ${at},"${label.replaceAll('"', '""')}"`);
  return readFile(["text,label", ...records].join("\n"), "a.csv");
}

describe("cells that are JSON", () => {
  const city = { start: 0, end: 4, text: "Rome", labels: ["city"] };
  const entities = [{ start: 0, end: 4, label: "city" }];

  test("mark entities where they are lists of places", async () => {
    const cells = [[city], [[0, 4, "city"]], []].map((cell) => JSON.stringify(cell));
    const dataset = await readCells(...cells);
    assert.deepEqual(dataset.faults, []);
    assert.deepEqual(
      markedOf(dataset).map(({ entities: found }) => found),
      [entities, entities, []],
    );
  });

  test("and are told where they are anything else", async () => {
    const lists = ['{"choices":["a","b"]}', '["a"]', "['a']", "[1, 2]"];
    const dataset = await readCells("plain", ...lists, "[sic]", "{}x");
    assert.deepEqual(
      labelledOf(dataset).map(({ label }) => label),
      ["plain", ...lists, "[sic]", "{}x"],
    );
    assert.match(
      dataset.warnings[0] ?? "",
      /^4 labels are texts of a list or an object \(lines 3, 4, 5, 6\), .*: .*export .* as JSON$/,
    );
    const texts = await readRows({ text: "a", label: JSON.stringify([city]) });
    assert.match(texts.warnings[0] ?? "", /^1 label is the text of a list or an object \(line 1\)/);
  });
});

describe("places in UTF-16", () => {
  const row = (text: string, start: number, end: number) => ({
    text,
    entities: [{ start, end, label: "city" }],
  });
  const plain = row("fly to Rome now", 7, 11);

  test("are refused where only they begin and end with words", async () => {
    const rows = [plain, row("😀 fly to Rome now", 10, 14), row("😀😀 in Oslo (now)", 8, 12)];
    await assert.rejects(
      readRows(...rows),
      /emoji \(lines 2, 3\) are not .*: 2 make sense in UTF-16 .*, 0 in .* points only; .*: count/,
    );
  });

  test("are refused for all rows where some end behind the text", async () => {
    const rows = [row("😀我去北京看朋友", 4, 6), row("😀我去北京", 4, 6)];
    await assert.rejects(readRows(...rows), /emoji \(line 1\) .*: 1 make sense in UTF-16/);
    const { faults, examples } = await readRows(plain, row("😀我去北京", 4, 6));
    assert.equal(examples.length, 1);
    assert.match(faults[0]?.reason ?? "", /behind the text's 5 .*; its places count UTF-16 code/);
  });

  test("are possible without boundaries of words, which is told", async () => {
    const { examples, warnings } = await readRows(row("😀我去北京看朋友", 3, 5));
    assert.equal(examples.length, 1);
    assert.match(warnings[0] ?? "", /^1 entity stands behind .* emoji \(line 1\): places are read/);
  });

  test("are not, where code points make sense or the text is repeated", async () => {
    const word = { start: 3, end: 5, label: "city", text: "北京" };
    const dataset = await readRows(
      row("😀 fly to Rome now", 9, 13),
      row("😀 to Romeand back", 5, 9),
      { text: "😀我去北京看朋友", entities: [word] },
    );
    assert.equal(dataset.examples.length, 3);
    assert.ok(!dataset.warnings.some((told) => told.includes("UTF-16")), dataset.warnings.join());
    const before = await readRows(row("北京很大😀", 0, 2));
    assert.deepEqual(before.warnings, []);
  });
});

describe("a row that marks nothing", () => {
  const example = { text: "Rome rocks", entities: [{ start: 0, end: 4, label: "city" }] };
  const none = { text: "it rains", entities: [] };
  const told = /^line 1 and 3 more: nothing is marked in the row: it is learned as a text without/;

  test("has no entity where others have, and is counted", async () => {
    const { text } = none;
    const rows = [{ text, id: 1 }, { text, entities: null }, example, { text, label: null }];
    const dataset = await readRows(...rows, { text, spans: null, answer: "accept" });
    assert.deepEqual(dataset.faults, []);
    assert.deepEqual(markedOf(dataset), [none, none, example, none, none]);
    assert.deepEqual(dataset.lines, [1, 2, 3, 4, 5]);
    assert.match(dataset.warnings[0] ?? "", told);
    const csv = await readCells('[{"start":0,"end":4,"label":"city"}]', "", " ");
    assert.deepEqual(
      markedOf(csv).map(({ entities }) => entities),
      [example.entities, [], []],
    );
    assert.match(csv.warnings[0] ?? "", /^line 3 and 1 more: nothing is marked/);
  });

  test("is a fault where others have labels, in the order of lines", async () => {
    const bare = Array.from({ length: 30 }, (_, at) => ({ text: `a ${at}` }));
    const dataset = await readRows(...bare, { text: "a", label: 1.5 }, { text: "b", label: "x" });
    assert.deepEqual([dataset.examples.length, dataset.faultCount], [1, 31]);
    assert.deepEqual(
      dataset.faults.map(({ line }) => line),
      dataset.faults.map((_, at) => at + 1),
    );
    const csv = await readCells("", "good");
    assert.deepEqual(csv.faults, [{ line: 2, reason: "label is empty" }]);
  });
});

describe("exports of other kinds", () => {
  const text = "Ana likes Bern";
  const entities = [
    { start: 0, end: 3, label: "who" },
    { start: 10, end: 14, label: "city" },
  ];

  test("a list of one label is that label, of several a fault, of none no decision", async () => {
    const rows = [
      { text: "x", label: [] },
      { text, label: ["pos"] },
      { text: "b", label: "neg" },
    ];
    const dataset = await readRows(...rows, { text, label: ["a", "b"] });
    assert.deepEqual(labelledOf(dataset), [
      { text, label: "pos" },
      { text: "b", label: "neg" },
    ]);
    assert.deepEqual(dataset.faults, [
      { line: 1, reason: "label is an empty array" },
      { line: 4, reason: "label is an array of 2 labels: one label is expected for each text" },
    ]);
    const marked = await readRows({ text: "x", label: [] }, { text, label: [[0, 3, "who"]] });
    assert.deepEqual([marked.examples.length, marked.warnings], [2, []]);
  });

  test("spaCy's Doc.to_json and Argilla's annotations are read", async () => {
    const tokens = [{ id: 0, start: 0, end: 3 }];
    const dataset = await readRows(
      { text, ents: entities, tokens, cats: {}, spans: {} },
      { text, tokens: text.split(" "), annotation: entities },
      { text, annotation: entities.map(({ start, end, label }) => [label, start, end]) },
    );
    assert.deepEqual(dataset.faults, []);
    assert.deepEqual(markedOf(dataset), Array(3).fill({ text, entities }));
  });

  test("spaCy's docs_to_json, and words and tags as CSV, are refused with what to do", async () => {
    const { faults } = await readRows({ id: 0, paragraphs: [{ raw: text, sentences: [] }] });
    assert.match(faults[0]?.reason ?? "", /docs_to_json writes them: write what Doc.to_json/);
    for (const header of ["tokens,ner_tags", "Sentence #,Word,POS,Tag", "sentence,word,tag"])
      await assert.rejects(
        readFile(`${header}\n${header.replaceAll(/[^,]+/g, "x")}\n`, "a.csv"),
        /line 1 names words and their tags, .* as CSV: use JSON lines, .*, or CoNLL/,
      );
  });

  test("what could both be meant is refused, and what is left out is told", async () => {
    const tokens = ["in", "Bern"];
    const tags = ["O", "B-city"];
    const { faults } = await readRows(
      { tokens, tags: ["IN", "NNP"], ner_tags: tags },
      { tokens, words: tokens, tags },
      { text, entities, spans: entities },
      { text, entities, labels: [[0, 3, "who"]] },
    );
    assert.deepEqual(
      faults.map(({ reason }) => reason),
      [
        '"tags" and "ner_tags" could both be the tags',
        '"tokens" and "words" could both be the tokens',
        '"entities" and "spans" could both be the entities',
        '"entities" and "labels" could both be the entities',
      ],
    );
    const { warnings } = await readRows(
      { text, entities, label: "good", cats: { a: 1 } },
      { tokens, tags, text: "in  Bern", intent: "travel" },
      { tokens: ["to", "Rome"], tags, text: "to Rome" },
    );
    assert.deepEqual(warnings.slice(0, 4), [
      'line 1: "label" is left out: "entities" stands beside it and is learned',
      'line 1: "cats" is left out: "entities" stands beside it and is learned',
      'line 2: "text" is left out: "tokens", joined by single spaces, are the text',
      'line 2: "intent" is left out: "tags" stands beside it and is learned',
    ]);
  });

  test("a region across a line break may lack it, or hold it as two characters", async () => {
    const lines = "to New\nYork now";
    const entity = (word: string) => ({ start: 3, end: 11, labels: ["city"], text: word });
    for (const word of ["New\nYork", "NewYork", "New York", "New\\nYork"]) {
      const { faults } = await readRows({ text: lines, label: [entity(word)] });
      assert.deepEqual(faults, [], word);
    }
    const { faults } = await readRows({ text: lines, label: [entity("NewYor")] });
    assert.match(faults[0]?.reason ?? "", /^entity 1: it says "NewYor"/);
  });
});

test("an item of an array on one line is named wherever something is said of it", async () => {
  const row = (...entities: readonly unknown[]) => ({ text: "Rome rocks", entities });
  const overlap = row([0, 4, "a"], [2, 4, "a"]);
  const rows = [row([0, 4, "a"]), overlap, row([0, 5, "a"]), { text: "b" }, overlap, null];
  const dataset = await readFile(JSON.stringify(rows), "a.json");
  assert.equal(
    faultSummary(dataset, dataset.examples.length),
    "3 of 6 rows cannot be used: line 1 (items 2, 5 of the array): entities overlap: 0 to 4 and " +
      "2 to 4; a character can be part of one only; line 1 (item 6 of the array): line is not a " +
      "JSON object",
  );
  assert.match(dataset.warnings[0] ?? "", /^line 1 \(item 4 of the array\): nothing is marked/);
  assert.match(dataset.warnings[1] ?? "", /white space \(line 1 \(item 3 of the array\)\)/);
});
