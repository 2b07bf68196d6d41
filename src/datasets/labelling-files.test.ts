/** Files as tools for labelling write them: what they mean is read, or told. */
import assert from "node:assert/strict";
import { Readable } from "node:stream";
import { describe, test } from "node:test";
import { checkUsable, type Dataset, faultSummary } from "./datasets.ts";
import { labelledOf, markedOf, readDataset, readTexts } from "./exam-reading.ts";

function readFile(content: string, filename = "a.jsonl"): Promise<Dataset> {
  return readDataset(Readable.from([Buffer.from(content)]), { filename, field: "file" });
}

function readRows(...rows: readonly unknown[]): Promise<Dataset> {
  return readFile(rows.map((row) => JSON.stringify(row)).join("\n"));
}

const text = "Ana likes Bern";
const entities = [
  { start: 0, end: 3, label: "who" },
  { start: 10, end: 14, label: "city" },
];
const triples = entities.map(({ start, end, label }) => [start, end, label]);
const example = { text, entities };

async function checkRead(...rows: readonly unknown[]): Promise<void> {
  const dataset = await readRows(...rows);
  assert.deepEqual(dataset.faults, []);
  assert.deepEqual(
    markedOf(dataset),
    rows.map(() => example),
  );
}

describe("spaCy", () => {
  const pair = [text, { entities: triples }];

  test("pairs are read, a line each or in one array, whatever else they hold", async () => {
    const detailed = { entities: triples, words: text.split(" "), tags: ["NNP", "VBZ", "NNP"] };
    await checkRead(pair, [text, detailed]);
    for (const indent of [undefined, 1, 2]) {
      const dataset = await readFile(JSON.stringify([pair, pair], null, indent), "train.json");
      assert.deepEqual(markedOf(dataset), [example, example]);
    }
    const { texts } = await readTexts(Readable.from([Buffer.from(JSON.stringify(pair))]), {
      filename: "a",
    });
    assert.deepEqual(texts, [text]);
  });

  test("what is no pair is a fault, and rows within an object are told of", async () => {
    const { faults } = await readRows(pair, [text, triples], [text], { annotations: [pair] });
    assert.deepEqual(
      faults.map(({ line }) => line),
      [2, 3, 4],
    );
    assert.match(faults[0]?.reason ?? "", /nor a pair \[text, \{"entities"/);
    assert.match(faults[2]?.reason ?? "", /may stand in "annotations": give that array alone/);
  });

  test("Python and its binary form are refused with what to do", async () => {
    const python = 'TRAIN_DATA = [\n  ("in Bern", {"entities": [(3, 7, "city")]}),\n]\n';
    await assert.rejects(readFile(python, "train.py"), /it is Python: write .* with json.dump/);
    const zlib = Readable.from([Uint8Array.of(0x78, 0x9c, 1, 2)]);
    await assert.rejects(readDataset(zlib, { filename: "a.spacy" }), /zlib, as spaCy's .spacy/);
  });
});

describe("Prodigy", () => {
  const spans = entities.map((entity, at) => ({ ...entity, token_start: at, token_end: at }));
  const tokens = [
    { text: "Ana", start: 0, end: 3, id: 0, ws: true },
    { text: "likes", start: 4, end: 9, id: 1, ws: true },
    { text: "Bern", start: 10, end: 14, id: 2, ws: false },
  ];
  const row = { text, tokens, spans, _input_hash: 1, _task_hash: 2, answer: "accept" };

  test("rows that were accepted are read, tokens beside them or not", async () => {
    const { tokens: _, ...bare } = row;
    await checkRead(row, bare, { text, spans });
  });

  test("rows that were rejected or ignored are left out, and counted", async () => {
    const dataset = await readRows(row, { ...row, answer: "reject" }, { ...row, answer: "ignore" });
    assert.deepEqual([dataset.examples.length, dataset.faultCount], [1, 0]);
    assert.match(
      dataset.warnings[0] ?? "",
      /^line 2 and 1 more: the row has "answer": "reject" or/,
    );
    assert.deepEqual(dataset.lines, [1]);
    const labelled = { text: "fine", label: "good" };
    const texts = await readRows(labelled, { ...labelled, text: "bad", answer: "reject" });
    assert.deepEqual(labelledOf(texts), [labelled]);
  });

  test("a file of which nothing was accepted says so", async () => {
    const dataset = await readRows({ ...row, answer: "reject" });
    const source = { filename: "a.jsonl", field: "file" };
    assert.throws(() => checkUsable(dataset, source), /"a.jsonl": line 1: the row has "answer"/);
  });

  test("a span that was rejected is none, and one question at a time is told of", async () => {
    const [first, second] = spans;
    const refused = { ...row, _view_id: "ner", spans: [first, { ...second, answer: "reject" }] };
    const dataset = await readRows(refused);
    assert.deepEqual(markedOf(dataset), [{ text, entities: entities.slice(0, 1) }]);
    assert.ok(
      dataset.warnings.some((told) => /"_view_id": "ner".* one entity at a time/.test(told)),
    );
    assert.ok(dataset.warnings.some((told) => /an entity has "answer": "reject"/.test(told)));
  });

  test("rejected rows are texts where texts are asked for", async () => {
    const rows = [row, { ...row, text: "Bob sleeps", answer: "reject" }];
    const content = rows.map((one) => JSON.stringify(one)).join("\n");
    const { texts } = await readTexts(Readable.from([Buffer.from(content)]), { filename: "a" });
    assert.deepEqual(texts, [text, "Bob sleeps"]);
  });
});

describe("GLiNER", () => {
  const row = {
    tokenized_text: ["Ana", "likes", "New", "York", "."],
    ner: [
      [0, 0, "who"],
      [2, 3, "city"],
    ],
  };

  test("spans of tokens hold their last token", async () => {
    const found = {
      text: "Ana likes New York .",
      entities: [
        { start: 0, end: 3, label: "who" },
        { start: 10, end: 18, label: "city" },
      ],
    };
    assert.deepEqual(markedOf(await readRows(row, { ...row, ner: [] })), [
      found,
      { ...found, entities: [] },
    ]);
    const { texts } = await readTexts(Readable.from([Buffer.from(JSON.stringify([row]))]), {
      filename: "data.json",
    });
    assert.deepEqual(texts, [found.text]);
  });

  test("a span that is none is a fault", async () => {
    for (const [ner, reason] of [
      [[[0, 5, "x"]], /entity 1: it goes from token 0 to 5, where tokens are 0 to 4/],
      [[[3, 2, "x"]], /goes from token 3 to 2/],
      [[[0, 1]], /no triple of first, last and label/],
      [[[0, 0, 7]], /label is an integer/],
      [undefined, /ner is missing: expected/],
    ] as const) {
      const { faults } = await readRows(row, { ...row, ner });
      assert.match(faults[0]?.reason ?? "", reason);
    }
  });
});

describe("doccano", () => {
  test("triples stand under several names, and offsets in objects", async () => {
    const offsets = entities.map(({ start, end, label }, id) => ({
      ...{ id, label, start_offset: start, end_offset: end },
    }));
    await checkRead(
      { id: 1, text, label: triples, Comments: [] },
      { id: 2, text, labels: triples },
      { id: 3, text, entities: offsets, relations: [] },
      { id: 4, text, annotations: offsets },
    );
    const { examples, faults } = await readRows({ text, label: triples }, { text, label: [] });
    assert.deepEqual([examples.length, faults], [2, []]);
  });

  test("labels by number are a fault, and labels of whole texts are no entities", async () => {
    const numbered = [{ label: 7, start_offset: 0, end_offset: 3, user: 1 }];
    const { faults } = await readRows({ text, labels: triples }, { text, annotations: numbered });
    assert.match(faults[0]?.reason ?? "", /entity 1: label is an integer, expected a string/);
    const whole = await readRows({ text, label: "x", labels: [] }, { text: "b", label: "y" });
    assert.equal(whole.task, "text-classification");
  });
});

describe("Label Studio", () => {
  const result = entities.map(({ start, end, label }) => ({
    ...{ from_name: "label", to_name: "text", type: "labels" },
    value: { start, end, text: text.slice(start, end), labels: [label] },
  }));
  const task = {
    id: 1,
    data: { text, source: "mail" },
    annotations: [{ id: 5, completed_by: 1, was_cancelled: false, result }],
    predictions: [],
  };

  test("tasks are read with their one annotation, of what was not cancelled", async () => {
    const cancelled = { id: 6, was_cancelled: true, result: [] };
    const [annotation] = task.annotations;
    await checkRead(task, { ...task, annotations: [cancelled, annotation] });
    const array = await readFile(JSON.stringify([task], null, 2), "project.json");
    assert.deepEqual(markedOf(array), [example]);
    const skipped = await readRows(task, { ...task, annotations: [cancelled] });
    assert.equal(skipped.examples.length, 1);
    assert.match(skipped.warnings[0] ?? "", /^line 2: the task has no annotation that was not/);
  });

  test("one choice is a label", async () => {
    const row = (choices: readonly string[]) => ({
      data: { text },
      annotations: [{ result: [{ type: "choices", value: { choices } }] }],
    });
    const dataset = await readRows(row(["good"]), row(["good", "bad"]));
    assert.deepEqual(labelledOf(dataset), [{ text, label: "good" }]);
    assert.match(dataset.faults[0]?.reason ?? "", /has 2 choices: expected one/);
  });

  test("what says several things, or what is not known, is a fault", async () => {
    const of = (own: object) => ({ ...task, ...own });
    const [annotation] = task.annotations;
    const paths = [{ type: "hypertextlabels", value: { hypertextlabels: ["x"] } }];
    const two = [{ type: "labels", value: { start: 0, end: 3, labels: ["x", "y"] } }];
    const { faults } = await readRows(
      task,
      of({ annotations: [annotation, annotation] }),
      of({ annotations: [{ result: paths }] }),
      of({ annotations: [{ result: two }] }),
      of({ data: { image: "a.png" } }),
    );
    const expected = [
      /has 2 annotations: expected the one that is right/,
      /a result of type "hypertextlabels", not "labels"/,
      /entity 1: label is an array/,
      /in "data", text is missing/,
    ];
    assert.equal(faults.length, expected.length);
    for (const [at, reason] of expected.entries()) assert.match(faults[at]?.reason ?? "", reason);
  });

  test("the smaller form is read, too", async () => {
    const label = result.map(({ value }) => value);
    await checkRead({ id: 1, text, label, annotator: 1 });
  });
});

test("tags by number are refused with where their names are", async () => {
  const { faults } = await readRows({ tokens: ["in", "Bern"], ner_tags: [0, 5] });
  assert.match(faults[0]?.reason ?? "", /tag 1 is 0: write .*Hugging Face .*\.feature\.names/);
});

test("a reason that many rows share is told once, with their lines", async () => {
  const row = { tokens: ["in", "Bern"], ner_tags: [0, 5] };
  const { faults, faultCount } = await readRows(row, row, { text }, row);
  const told = faultSummary({ faults, faultCount }, 0) ?? "";
  assert.match(
    told,
    /^4 of 4 rows cannot be used: lines 1, 2, 4: tag 1 is 0: .*; line 3: label is/,
  );
});

test("files whose text is elsewhere are refused with what to do", async () => {
  const brat = "T1\tcity 3 7\tBern\nT2\twho 12 15\tAna\nR1\tlives Arg1:T2 Arg2:T1\n";
  for (const name of ["a.ann", "a.txt", "a.tsv"])
    await assert.rejects(readFile(brat, name), /it is brat's standoff, whose text is another file/);
  const tsv = "#FORMAT=WebAnno TSV 3.3\n\n#Text=in Bern\n1-1\t0-2\tin\t_\n1-2\t3-7\tBern\tcity\n";
  await assert.rejects(readFile(tsv, "a.tsv"), /it is WebAnno's TSV: export it as CoNLL 2002/);
});

describe("places that may not be meant", () => {
  const sentence = "Ana likes Bern.";
  const row = (...marks: readonly (readonly [number, number])[]) => ({
    text: sentence,
    entities: marks.map(([start, end]) => [start, end, "x"]),
  });

  test("ends at the last character are told as a habit of the file", async () => {
    const { warnings } = await readRows(row([0, 2], [10, 13]), row([10, 13]), row([0, 3]));
    assert.deepEqual(warnings.slice(0, 1), [
      "3 of 4 entities lack the last character of a word (lines 1, 2): each end seems to point " +
        "at the last character, but ends are exclusive: add 1 to each",
    ]);
  });

  test("within words, or at white space, are told with their lines", async () => {
    const lines = Array.from({ length: 7 }, () => row([4, 6]));
    const { warnings } = await readRows(row([0, 3]), row([9, 14]), row([1, 3]), ...lines);
    assert.ok(
      warnings.includes(
        "8 entities begin or end within a word (lines 3, 4, 5, 6, 7 and others): the words that " +
          "they touch are learned as a whole",
      ),
      warnings.join("\n"),
    );
    assert.ok(
      warnings.includes(
        "1 entity begins or ends with white space (line 2), which is learned as no part of them",
      ),
    );
  });

  test("are no fault of scripts whose words are not parted, or of marks", async () => {
    const { warnings } = await readRows(
      { text: "東京に住む", entities: [[0, 2, "x"]] },
      { text: "cafe\u0301 Rome", entities: [[0, 5, "x"]] },
      { text: "e-mail", entities: [[0, 1, "x"]] },
    );
    assert.deepEqual(warnings, []);
  });

  test("a word beside them tells that the end is one short", async () => {
    const entity = { start: 10, end: 13, label: "x", word: "Bern" };
    const { faults } = await readRows({ text: sentence, entities: [entity] });
    assert.match(faults[0]?.reason ?? "", /says "Bern", .*the end is behind .*, here 14$/);
  });
});
