/** What cannot be seen is written out, and all else stays. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { visible } from "./visible.ts";

test("invisible characters are written out, and nothing else", () => {
  for (const [text, expected] of [
    ["good\u200b", "good\\u{200b}"],
    ["a\tb\nc", "a\\u{9}b\\u{a}c"],
    ["\u001b[31mred", "\\u{1b}[31mred"],
    ["a\u00a0b c", "a\\u{a0}b c"],
    ["\u{e0001}x", "\\u{e0001}x"],
    ["Muse\u0301e", "Muse\\u{301}e"],
    ["Mus\u00e9e, \u4e2d\u6587 \u{1f600}", "Mus\u00e9e, \u4e2d\u6587 \u{1f600}"],
  ] as const)
    assert.equal(visible(text), expected);
});
