import assert from "node:assert/strict";
import { test } from "node:test";
import { textParts } from "./text-parts.ts";

test("the parts of a text are the text, its entities by themselves", () => {
  const own = { entity_group: "city", score: 0.9 };
  const bonn = { ...own, start: 2, end: 6, word: "Bonn" };
  const rome = { ...own, start: 6, end: 10, word: "Rome" };
  assert.deepEqual(textParts("👋 BonnRome!", [bonn, rome]), [
    { text: "👋 ", entity: undefined },
    { text: "Bonn", entity: bonn },
    { text: "Rome", entity: rome },
    { text: "!", entity: undefined },
  ]);
  assert.deepEqual(textParts("none", []), [{ text: "none", entity: undefined }]);
});
