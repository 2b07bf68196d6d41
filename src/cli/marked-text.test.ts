import assert from "node:assert/strict";
import { test } from "node:test";
import { textParts } from "../client/text-parts.ts";
import { markedText } from "./marked-text.ts";

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
