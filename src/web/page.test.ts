import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { test } from "node:test";
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
