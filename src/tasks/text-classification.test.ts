import assert from "node:assert/strict";
import { test } from "node:test";
import { examineTask } from "./conformance.ts";
import { bestLabels, textClassification } from "./text-classification.ts";

const labels = ["ham", "spam", "größe"];

examineTask(textClassification, {
  labels,
  examples: labels.map((label, index) => ({
    example: { text: `a text of ${label}`, label },
    words: undefined,
    tokenCount: 3 + index,
    answer: [index],
    lostCount: 0,
    spelled: label,
  })),
});

test("labels are told best first, and the first is what a head answers", () => {
  const scores = Float32Array.of(0.25, 0.5, 0.25);
  const told = [
    { label: "spam", score: 0.5 },
    { label: "ham", score: 0.25 },
    { label: "größe", score: 0.25 },
  ];
  assert.deepEqual(bestLabels(scores, labels), told);
  const even = Float32Array.of(0.5, 0.5, 0);
  const parts = { labelCount: labels.length, firsts: undefined };
  assert.deepEqual([...textClassification.answerOf(even, parts)], [0]);
  assert.equal(bestLabels(even, labels)[0]?.label, "ham");
});
