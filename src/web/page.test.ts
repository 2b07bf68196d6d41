import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { test } from "node:test";
import { runInNewContext } from "node:vm";
import { pageWords } from "./page-words.ts";
import { page as served } from "./page.ts";

const page = served.body;

test("the policy allows exactly the script and the style that the page carries", () => {
  const policy = /http-equiv="content-security-policy" content="([^"]*)"/.exec(page)?.[1] ?? "";
  for (const [element, directive] of [
    ["script", "script-src"],
    ["style", "style-src"],
  ] as const) {
    const sources = [...page.matchAll(new RegExp(`<${element}>([^]*?)</${element}>`, "g"))];
    assert.equal(sources.length, 1, element);
    const digest = createHash("sha256")
      .update(sources[0]?.[1] ?? "")
      .digest("base64");
    assert.ok(policy.includes(`${directive} 'sha256-${digest}'`), element);
  }
  assert.ok(policy.startsWith("default-src 'none'"));
});

test("the page asks nothing of other hosts and has no inline handlers or styles", () => {
  assert.doesNotMatch(page, /https?:\/\/|@import|url\(|src=/);
  assert.doesNotMatch(page, /<[^>]* (on\w+|style)=/);
});

test("every id that the script looks for is in the page, and every label names a field", () => {
  const ids = new Set([...page.matchAll(/ id="([\w-]+)"/g)].map((match) => match[1]));
  const wanted = [...page.matchAll(/byId\("([\w-]+)"\)/g), ...page.matchAll(/ for="([\w-]+)"/g)];
  assert.ok(wanted.length > 10);
  for (const match of wanted) assert.ok(ids.has(match[1]), match[1]);
});

interface Words {
  keyFault(key: string): string;
  faultWords(error: { message: string; param: string | null }): string;
  servingWords(version: { verdict: string | null; is_served: boolean }): string;
  verdictWords(version: { verdict: string | null }): string;
}
const words = runInNewContext(
  `${pageWords}; ({ keyFault, faultWords, servingWords, verdictWords })`,
) as Words; // What it evaluates to is what the interface lists.

test("a key that no header can carry is told before it is sent", () => {
  for (const key of ["", "two words", "ключ", "clé", "sk-\u2026", "sk-\n", "sk-\u007f"])
    assert.match(words.keyFault(key), /^Cannot use this key: .*ASCII/, JSON.stringify(key));
  for (const key of ["sk-strata-0aZ_9", "!~"]) assert.equal(words.keyFault(key), "");
});

test("faults name the page's fields, and nothing else of a message changes", () => {
  const message = 'Cannot read "input": expected at most 9 characters, got 10';
  const worded = 'Cannot read "Text": expected at most 9 characters, got 10';
  assert.equal(words.faultWords({ message, param: "input" }), worded);
  const absent = 'The model "input" does not exist';
  assert.equal(words.faultWords({ message: absent, param: "model" }), absent);
});

test("a version's line says what serves now, and the verdict of when it was published", () => {
  const good = "Served: the first version";
  const bad = "Not served: worse than version 1";
  assert.equal(words.servingWords({ verdict: good, is_served: true }), " (served)");
  assert.equal(words.servingWords({ verdict: null, is_served: true }), " (served)");
  assert.equal(words.servingWords({ verdict: bad, is_served: true }), " (serves by alias)");
  assert.equal(words.servingWords({ verdict: good, is_served: false }), "");
  const dated = " When published: Served: the first version";
  assert.equal(words.verdictWords({ verdict: good }), dated);
  assert.equal(words.verdictWords({ verdict: null }), "");
});
