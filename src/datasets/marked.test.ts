/** Entities in JSON: places in code points, tokens with tags, and every fault with its reason. */
import assert from "node:assert/strict";
import { Readable } from "node:stream";
import { describe, test } from "node:test";
import { CodePoints } from "./code-points.ts";
import type { Dataset, MarkedText } from "./datasets.ts";
import { markedOf, readDataset, readTexts } from "./exam-reading.ts";

const read = (...rows: readonly unknown[]): Promise<Dataset> => {
  const lines = rows.map((row) => (typeof row === "string" ? row : JSON.stringify(row)));
  return readDataset(Readable.from([Buffer.from(lines.join("\n"))]), { filename: "a.jsonl" });
};

async function marked(...rows: readonly unknown[]): Promise<readonly MarkedText[]> {
  const dataset = await read(...rows);
  assert.deepEqual(dataset.faults, []);
  return markedOf(dataset);
}

async function faultOf(row: unknown): Promise<string> {
  const good = { text: "in Rome", entities: [{ start: 3, end: 7, label: "place" }] };
  const { examples, faults } = await read(good, row);
  assert.equal(examples.length, 1);
  assert.equal(faults[0]?.line, 2);
  return faults[0]?.reason ?? "";
}

describe("places", () => {
  test("count code points, whatever stands before them", async () => {
    const cases: readonly (readonly [text: string, start: number, end: number, word: string])[] = [
      ["😀 in Zürich", 5, 11, "Zürich"],
      ["👩‍👩‍👧 in Rome", 9, 13, "Rome"],
      ["cafe\u0301 in Rome", 9, 13, "Rome"],
      ["東京に 住む", 0, 2, "東京"],
      ["אני גר בתל אביב", 7, 15, "בתל אביב"],
      ["one\r\nRome", 5, 9, "Rome"],
    ];
    for (const [text, start, end, word] of cases) {
      const [example] = await marked({ text, entities: [{ start, end, label: "x", word }] });
      assert.deepEqual(example, { text, entities: [{ start, end, label: "x" }] });
      assert.equal(new CodePoints(text).slice(start, end), word);
    }
  });

  test("stand in several shapes, and in any order", async () => {
    const text = "Ann met Bob";
    const entities = [
      { start: 0, end: 3, label: "who" },
      { start: 8, end: 11, label: "who" },
    ];
    const shapes = [
      { text, entities: entities.toReversed() },
      { text, spans: entities.map(({ start, end }) => ({ start, end, type: " who " })) },
      {
        sentence: text,
        entities: [
          [8, 11, "who"],
          [0, 3, "who"],
        ],
      },
      { text, entities: entities.map(({ label, ...at }) => ({ ...at, entity_group: label })) },
    ];
    for (const shape of shapes) assert.deepEqual(await marked(shape), [{ text, entities }]);
  });

  test("end behind the marks of their last character", () => {
    const decomposed = new CodePoints("caf e\u0301\u0323 ❤\ufe0f");
    assert.equal(decomposed.afterMarks(5), 7);
    assert.equal(decomposed.afterMarks(9), 10);
    assert.equal(decomposed.afterMarks(2), 2);
  });
});

describe("tokens", () => {
  test("become a text by single spaces, and their tags places in it", async () => {
    const row = {
      tokens: ["New", "York", ",", "😀", "Rome"],
      tags: ["B-c", "I-c", "O", "O", "B-c"],
    };
    assert.deepEqual(await marked(row), [
      {
        text: "New York , 😀 Rome",
        entities: [
          { start: 0, end: 8, label: "c" },
          { start: 13, end: 17, label: "c" },
        ],
      },
    ]);
  });

  test("have other names, too", async () => {
    const rows = [
      { words: ["in", "Rome"], ner_tags: ["O", "S-c"] },
      { tokens: ["in", "Rome"], labels: ["O", "c"] },
    ];
    const example = { text: "in Rome", entities: [{ start: 3, end: 7, label: "c" }] };
    assert.deepEqual(await marked(...rows), [example, example]);
  });

  test("are texts where they are to be answered", async () => {
    const content = '{"tokens":["in","Rome"]}\n{"text":"a b","entities":[]}\n';
    const { texts } = await readTexts(Readable.from([Buffer.from(content)]), { filename: "a" });
    assert.deepEqual(texts, ["in Rome", "a b"]);
  });
});

describe("a fault", () => {
  const cases: readonly (readonly [row: unknown, reason: RegExp])[] = [
    [{ text: "ab", entities: [{ start: 0, end: 3, label: "x" }] }, /ends at 3, behind .* 2 char/],
    [{ text: "😀b", entities: [{ start: 0, end: 3, label: "x" }] }, /ends at 3, behind .* 2 char/],
    [
      { text: "ab", entities: [{ start: -1, end: 1, label: "x" }] },
      /start is an integer, expected/,
    ],
    [
      { text: "ab", entities: [{ start: 0.5, end: 1, label: "x" }] },
      /start is a number that is no/,
    ],
    [{ text: "ab", entities: [{ end: 1, label: "x" }] }, /entity 1: start is missing/],
    [{ text: "ab", entities: [{ start: 1, end: 1, label: "x" }] }, /begins at 1 and ends at 1/],
    [{ text: "a  b", entities: [{ start: 1, end: 3, label: "x" }] }, /holds white space only/],
    [{ text: "ab", entities: [{ start: 0, end: 1 }] }, /label is missing/],
    [{ text: "ab", entities: [{ start: 0, end: 1, label: 3 }] }, /label is an integer, expected/],
    [{ text: "ab", entities: [{ start: 0, end: 1, label: "O" }] }, /"O" stands for what is no/],
    [{ text: "ab", entities: [[0, 1]] }, /it has 2 values, expected start, end and label/],
    [{ text: "ab", entities: ["x"] }, /it is a string, not an object/],
    [{ text: "ab", entities: {} }, /entities is an object, expected an array/],
    [{ text: "", entities: [] }, /text is empty/],
    [{ entities: [] }, /text is missing: expected one of "text"/],
    [
      { text: "😀 Rome", entities: [{ start: 3, end: 7, label: "x", word: "Rome" }] },
      /ends at 7, behind the text's 6/,
    ],
    [
      { text: "😀 Rome now", entities: [{ start: 3, end: 7, label: "x", word: "Rome" }] },
      /says "Rome", the text from 3 to 7 is "ome "; its places count UTF-16 code units/,
    ],
    [
      {
        text: "abcd",
        entities: [
          [0, 3, "x"],
          [2, 4, "y"],
        ],
      },
      /entities overlap: 0 to 3 and 2 to 4/,
    ],
    [
      {
        text: "abcd",
        entities: [
          [0, 4, "x"],
          [1, 2, "x"],
        ],
      },
      /entities overlap: 0 to 4 and 1 to 2/,
    ],
    [{ tokens: ["a"], tags: ["O", "O"] }, /there are 1 tokens and 2 tags/],
    [{ tokens: ["a", " "], tags: ["O", "O"] }, /token 2 is empty/],
    [{ tokens: ["a", 1], tags: ["O", "O"] }, /token 2 is an integer, expected a string/],
    [{ tokens: ["a"], tags: [0] }, /tag 1 is 0: write the tag's name/],
    [{ tokens: ["a"], tags: [null] }, /tag 1 is null, expected a string/],
    [{ tokens: ["a"] }, /tags are missing: expected one of "tags", "ner_tags", "labels"/],
    [{ text: "ab", label: ["x"] }, /it has a label, where line 1 has entities/],
    [{ text: "a", label: "x" }, /it has a label, where line 1 has entities/],
  ];
  for (const [row, reason] of cases)
    test(`is told: ${JSON.stringify(row)}`, async () => {
      assert.match(await faultOf(row), reason);
    });

  test("takes back what its row had counted", async () => {
    const { labels, labelCounts } = await read(
      { text: "ab", entities: [[0, 1, "x"]] },
      {
        text: "ab",
        entities: [
          [0, 1, "y"],
          [1, 9, "x"],
        ],
      },
    );
    assert.deepEqual([labels, labelCounts], [["x"], [1]]);
  });
});

describe("the form of a file", () => {
  const labelled = [
    { text: "fine", label: "x" },
    { text: "bad", label: "y" },
  ];

  test("is that of the first row that can be used", async () => {
    for (const bad of [
      { text: "ab", entities: "bad" },
      { text: "ab", entities: null },
      { text: "ab", entities: [[0, 9, "x"]] },
    ]) {
      const { task, examples, faults } = await read(bad, ...labelled);
      assert.equal(task, "text-classification");
      assert.deepEqual(examples, labelled);
      assert.deepEqual(
        faults.map(({ line }) => line),
        [1],
      );
    }
    const bad = { text: "ab", label: {} };
    const example = { text: "ab", entities: [{ start: 0, end: 1, label: "x" }] };
    const { examples, faults } = await read(bad, example, { text: "a", label: "x" });
    assert.deepEqual(examples, [example]);
    assert.deepEqual(faults, [
      {
        line: 1,
        reason: "label is an object, expected a string, an integer or a boolean",
      },
      { line: 3, reason: "it has a label, where line 2 has entities" },
    ]);
  });

  test("takes entities that are null beside a label for absent", async () => {
    const [first = {}, second = {}] = labelled;
    const dataset = await read({ ...first, entities: null }, { entities: null, ...second });
    assert.deepEqual(dataset.faults, []);
    assert.deepEqual(dataset.examples, labelled);
  });
});

test("what may not be meant is told", async () => {
  const { warnings } = await read(
    { text: "in Rome", entities: [[3, 7, "City"]] },
    { text: "in Rome", entities: [] },
    { text: "in Bonn", entities: [[3, 7, "city"]] },
  );
  assert.deepEqual(warnings, [
    'labels look alike and are kept apart: "City" (1), "city" (1); is one of them meant?',
    "1 text stands there with different entities",
  ]);
});
