/** Main figures of versions: by the task's own name, and of versions from before intervals. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { figureOf } from "./figure.ts";
import { textClassification } from "./text-classification.ts";
import { tokenClassification } from "./token-classification.ts";

test("a figure is that of the task, with all that is known of it", () => {
  const metrics = { devF1: 0.8, devF1Low: 0.7, devF1High: 0.9, devCount: 40, difference: 0.1 };
  const figure = { name: "F1", value: 0.8, low: 0.7, high: 0.9, count: 40 };
  assert.deepEqual(figureOf(tokenClassification, metrics), figure);
  assert.equal(figureOf(textClassification, metrics), undefined);
  const old = { name: "accuracy", value: 0.5, low: undefined, high: undefined, count: undefined };
  assert.deepEqual(figureOf(textClassification, { devAccuracy: 0.5 }), old);
  assert.equal(figureOf(textClassification, { devCount: 0 }), undefined);
});
