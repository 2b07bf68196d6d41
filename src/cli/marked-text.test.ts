import assert from "node:assert/strict";
import { test } from "node:test";
import { textParts } from "../client/text-parts.ts";
import { answerLine, markedText } from "./marked-text.ts";

const plain = (label: string): string => label;

test("entities stand in brackets at their places, which count code points", () => {
  const city = { entity_group: "city", score: 0.984 };
  const entities = [
    { ...city, start: 5, end: 11, word: "Zürich" },
    { ...city, start: 15, end: 19, word: "Bern", entity_group: "a\u200bb" },
  ];
  assert.equal(
    markedText(textParts("😀 in Zürich to Bern 👋", entities), plain),
    "😀 in [Zürich](city 0.98) to [Bern](a\\u{200b}b 0.98) 👋",
  );
  assert.equal(markedText(textParts("nothing", []), plain), "nothing");
});

test("a line tells of the whole text, of its parts, and that its end was not read", () => {
  const text = "to Bern";
  const entity = { entity_group: "city", score: 0.984, start: 3, end: 7, word: "Bern" };
  const scores = [
    { label: "trip", score: 0.875 },
    { label: "stay", score: 0.125 },
  ];
  const parts = textParts(text, [entity]);
  const line = (said: object): string =>
    answerLine({ text, fields: {}, scores: [], parts: [], isCut: false, ...said }, plain);
  const cut = " (its end was not read: it is too long for the model)";
  assert.equal(line({ scores }), "trip\t0.8750\tto Bern");
  assert.equal(line({ scores, isCut: true }), `trip\t0.8750\tto Bern${cut}`);
  assert.equal(line({ parts, isCut: true }), `to [Bern](city 0.98)${cut}`);
  assert.equal(line({ scores, parts }), "trip\t0.8750\tto [Bern](city 0.98)");
});
