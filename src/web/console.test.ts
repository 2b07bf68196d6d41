import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { test } from "node:test";
import { StrataError } from "../foundation/errors.ts";
import { consoleDocument } from "./console.ts";
import { faultWords, keyFault, timingWords } from "./words.ts";

const html = consoleDocument.body;

test("the policy allows exactly the script and the style that the document carries", () => {
  const policy = /http-equiv="content-security-policy" content="([^"]*)"/.exec(html)?.[1] ?? "";
  for (const [element, directive] of [
    ["script", "script-src"],
    ["style", "style-src"],
  ] as const) {
    const sources = [...html.matchAll(new RegExp(`<${element}>([^]*?)</${element}>`, "g"))];
    assert.equal(sources.length, 1, element);
    const digest = createHash("sha256")
      .update(sources[0]?.[1] ?? "")
      .digest("base64");
    assert.ok(policy.includes(`${directive} 'sha256-${digest}'`), element);
  }
  assert.ok(policy.startsWith("default-src 'none'"));
});

test("the console asks nothing of other hosts and has no inline handlers or styles", () => {
  assert.doesNotMatch(html, /https?:\/\/|@import|url\(|src=/);
  assert.doesNotMatch(html, /<[^>]* (on\w+|style)=/);
});

test("every id that the script looks for is in the document, and every label names a field", () => {
  const ids = new Set([...html.matchAll(/ id="([\w-]+)"/g)].map((match) => match[1]));
  const wanted = [
    ...html.matchAll(/ element\("([\w-]+)", HTML/g),
    ...html.matchAll(/ for="([\w-]+)"/g),
  ];
  assert.ok(wanted.length > 10);
  for (const match of wanted) assert.ok(ids.has(match[1]), match[1]);
});

test("a key that no header can carry is told before it is sent", () => {
  for (const key of ["", "two words", "ключ", "clé", "sk-\u2026", "sk-\n", "sk-\u007f"])
    assert.match(keyFault(key), /^Cannot use this key: .*ASCII/, JSON.stringify(key));
  for (const key of ["sk-strata-0aZ_9", "!~"]) assert.equal(keyFault(key), "");
});

test("faults name the console's fields, and nothing else of a message changes", () => {
  const message = 'Cannot read "input": expected at most 9 characters, got 10';
  const worded = 'Cannot read "Text": expected at most 9 characters, got 10';
  const error = (field: string, text: string): StrataError =>
    new StrataError("INVALID_ARGUMENT", text, { field });
  assert.equal(faultWords(error("input", message)), worded);
  assert.equal(faultWords(error("input[0]", message.replace("input", "input[0]"))), worded);
  const absent = 'The model "input" does not exist';
  assert.equal(faultWords(error("model", absent)), absent);
});

test("a key that the server refuses is not blamed in the words of an API", () => {
  const refused = new StrataError("UNAUTHENTICATED", "Cannot authenticate: the API key is wrong");
  assert.equal(faultWords(refused), "This key is not accepted.");
});

test("timings are worded with what is known alone", () => {
  const headers = new Headers({ "openai-processing-ms": "12.4", "x-strata-run-ms": "9.6" });
  assert.equal(timingWords(headers, 20.4), "Server: total 12 ms · model 10 ms. Round trip 20 ms.");
  assert.equal(timingWords(new Headers(), 1), "Server: no timings. Round trip 1 ms.");
});
