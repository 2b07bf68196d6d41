/** Entities as answers: the exam of tasks, and spans in characters of the original text. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { MarkedText } from "../datasets/datasets.ts";
import type { Words } from "../entities/words.ts";
import { examineTask, type ExamExample } from "./conformance.ts";
import {
  entitiesFound,
  spansOfOutputs,
  tokenClassification,
  tokenOutputs,
} from "./token-classification.ts";

/** Words of a text by their places, each of one token after the first. */
function wordsAt(...places: readonly (readonly [start: number, end: number])[]): Words {
  return {
    tokens: Int32Array.from(places, (_, index) => index + 1),
    starts: Int32Array.from(places, ([start]) => start),
    ends: Int32Array.from(places, ([, end]) => end),
  };
}

const text = "Ann met Bob Lee in New York";
const words = wordsAt([0, 3], [4, 7], [8, 11], [12, 15], [16, 18], [19, 22], [23, 27]);

function exampleOf(
  entities: readonly (readonly [start: number, end: number, label: string])[],
  expected: Pick<ExamExample, "answer" | "lostCount" | "spelled">,
): ExamExample<MarkedText> {
  const marked = entities.map(([start, end, label]) => ({ start, end, label }));
  return { example: { text, entities: marked }, words, tokenCount: 9, ...expected };
}

examineTask(tokenClassification, {
  labels: ["who", "where"],
  examples: [
    exampleOf([], { answer: [], lostCount: 0, spelled: "" }),
    exampleOf([[0, 3, "who"]], { answer: [0, 1, 0], lostCount: 0, spelled: "0-1 who" }),
    exampleOf(
      [
        [8, 15, "who"],
        [19, 27, "where"],
      ],
      {
        answer: [2, 4, 0, 5, 7, 1],
        lostCount: 0,
        spelled: "2-4 who; 5-7 where",
      },
    ),
    // Neighbours of one label stay two.
    exampleOf(
      [
        [8, 11, "who"],
        [12, 15, "who"],
      ],
      {
        answer: [2, 3, 0, 3, 4, 0],
        lostCount: 0,
        spelled: "2-3 who; 3-4 who",
      },
    ),
    // White space at the ends is no part of a word.
    exampleOf([[7, 12, "who"]], { answer: [2, 3, 0], lostCount: 0, spelled: "2-3 who" }),
    // The words that an entity touches are learned as a whole; no answer is right for a part.
    exampleOf([[9, 13, "who"]], { answer: [2, -4, 0], lostCount: 1, spelled: "2--4 who" }),
    // Two in one word: the second cannot be answered, and counts as expected all the same.
    exampleOf(
      [
        [0, 1, "who"],
        [1, 3, "where"],
      ],
      {
        answer: [0, -1, 0, 7, 8, 1],
        lostCount: 2,
        spelled: "0--1 who; 7-8 where",
      },
    ),
  ],
});

it("reads labels that hold what stands between entities", () => {
  const labels = ["a; b", "7; 8"];
  const answer = Int32Array.of(0, 2, 1, 3, 4, 0, 12, 13, 1);
  const spelled = "0-2 7; 8; 3-4 a; b; 12-13 7; 8";
  assert.equal(tokenClassification.spelled(answer, labels), spelled);
  const numberOf = (label: string): number => labels.indexOf(label);
  assert.deepEqual(tokenClassification.parsed(spelled, numberOf), answer);
});

it("counts a part of a word as missed, and the word that is answered as made up", () => {
  // As "kg" in "175kg": marked is the number, learned and answered the whole word.
  const parsed = (spelled: string): Int32Array => tokenClassification.parsed(spelled, () => 0);
  const judged = tokenClassification.judged(
    parsed("2--4 who; 5-7 who"),
    parsed("2-4 who; 5-7 who"),
  );
  assert.deepEqual(judged, { right: 2, count: 4, saidCount: 2 });
  const { tokens, classes } = tokenClassification.classesOf(parsed("1--3 who"), {
    labelCount: 1,
    firsts: Int32Array.of(1, 2, 3, 4),
  });
  assert.deepEqual([...tokens], [1, 2, 3, 4]);
  assert.deepEqual([...classes], [0, 1, 2, 0]);
});

describe("what the outputs of words mean", () => {
  const [o, b0, i0, b1, i1] = [0, 1, 2, 3, 4];
  const cases: readonly (readonly [outputs: readonly number[], spans: string])[] = [
    [[o, o], ""],
    [[b0, i0, o, b1], "0-2 0, 3-4 1"],
    [[b0, b0, i0], "0-1 0, 1-3 0"],
    [[o, i0, i0], "1-3 0"],
    [[b0, i1, i1], "0-1 0, 1-3 1"],
    [[i0, o, i0], "0-1 0, 2-3 0"],
  ];
  for (const [outputs, spans] of cases)
    it(`reads ${outputs.join(" ")}`, () => {
      const found = spansOfOutputs(Int32Array.from(outputs));
      const shown = found.map(({ start, end, label }) => `${start}-${end} ${label}`);
      assert.equal(shown.join(", "), spans);
    });
});

describe("entities that are found", () => {
  const labels = ["who", "where"];

  /** Probabilities of `[CLS]`, the words and `[SEP]`, five outputs each. */
  function found(of: string, at: Words, rows: readonly (readonly number[])[]) {
    const none = [1, 0, 0, 0, 0];
    const probabilities = Float32Array.from([none, ...rows, none].flat());
    const outputs = tokenOutputs(probabilities, 5);
    return entitiesFound({ text: of, words: at, labels, ...outputs }).map((entity) => ({
      ...entity,
      score: Math.round(1e4 * entity.score) / 1e4,
    }));
  }

  it("have the exact slice of the text, and the mean probability of their label", () => {
    const rows = [
      [0.1, 0.1, 0.2, 0.6, 0],
      [0.2, 0, 0, 0.1, 0.7],
    ];
    assert.deepEqual(found("New  York", wordsAt([0, 3], [5, 9]), rows), [
      { start: 0, end: 9, label: "where", score: 0.7, word: "New  York" },
    ]);
  });

  const sure = [0, 1, 0, 0, 0];
  const cases: readonly (readonly [text: string, start: number, end: number, word: string])[] = [
    // Code points: an emoji is one, the family five with its joiners, a flag two.
    ["😀 Zürich", 2, 8, "Zürich"],
    ["👩‍👩‍👧 Rome", 6, 10, "Rome"],
    ["🇨🇭 Bern", 3, 7, "Bern"],
    // The accent belongs to its letter, though no token covers it.
    ["a cafe\u0301!", 2, 6, "cafe\u0301"],
    ["in नई दिल्ली", 6, 12, "दिल्ली"],
    ["東京都", 1, 2, "京"],
    ["הוא בתל אביב", 4, 7, "בתל"],
    ["a\r\nBonn", 3, 7, "Bonn"],
    ["𝒳 is 𝒴", 5, 6, "𝒴"],
  ];
  for (const [of, start, end, word] of cases)
    it(`are cut out of ${JSON.stringify(of)}`, () => {
      const [entity] = found(of, wordsAt([start, end]), [sure]);
      assert.equal(entity?.word, word);
      assert.equal(entity.start, start);
      const characters = Array.from(of);
      assert.equal(characters.slice(entity.start, entity.end).join(""), word);
    });
});
