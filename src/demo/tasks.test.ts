import assert from "node:assert/strict";
import { test } from "node:test";
import { passagesOf, plainText, spread } from "./brown.ts";
import { cut, plainBody, textOfHtml } from "./mails.ts";
import { loadDemoTasks } from "./tasks.ts";

test("tagged words of the Brown corpus become text", () => {
  const tagged = "\tThe/at jury/nn said/vbd ,/, ``/`` no/at 1/2/cd ''/'' ./.\nWhy/wrb ?/. ?/.";
  assert.equal(plainText(tagged), 'The jury said, "no 1/2". Why?');
});

test("paragraphs join to passages that end at a word", () => {
  const paragraph = Array.from({ length: 40 }, () => "word/nn").join(" ");
  const passages = passagesOf(Array.from({ length: 5 }, () => paragraph).join("\n\n\n"));
  // Two paragraphs of 199 characters reach the least length and are cut; the fifth is left over.
  assert.deepEqual(
    passages.map((passage) => passage.length),
    [359, 359],
  );
  assert.equal(cut("one two three", 9), "one two");
  assert.equal(cut("onetwothree", 5), "onetw");
});

test("items are spread evenly", () => {
  assert.deepEqual(spread([0, 1, 2, 3, 4, 5, 6, 7, 8, 9], 4), [0, 3, 5, 8]);
  assert.deepEqual(spread([0, 1], 4), [0, 1]);
});

test("a mail's body keeps the writer's own words only", () => {
  const body = [
    "On Monday Ann wrote:",
    "> old words",
    "See http://a.example/x or ask ann@b.example now",
    "_______________________________________________",
    "list mailing list",
  ].join("\r\n");
  assert.equal(plainBody(body), "See (link) or ask (address) now");
  assert.equal(plainBody("-----\nBelow a rule"), "Below a rule");
});

test("HTML becomes text without markup, styles and scripts", () => {
  const html = "<html><style>p{}</style><script>x()</script><p>Tom &amp; Co</p><!-- no --></html>";
  assert.equal(textOfHtml(html).trim(), "Tom & Co");
});

test("the three tasks are balanced, disjoint and free of addresses and list tags", async () => {
  const tasks = await loadDemoTasks();
  assert.deepEqual(
    tasks.map(({ name, train, dev, test: held }) => [name, train.length, dev.length, held.length]),
    [
      ["mail-spam", 1000, 150, 300],
      ["mail-list", 720, 120, 240],
      ["text-genre", 900, 150, 300],
    ],
  );
  for (const task of tasks) {
    const trained = new Set(task.train.map(({ text }) => text));
    for (const { text, label } of [...task.dev, ...task.test]) {
      assert.ok(!trained.has(text), `in both: ${text}`);
      assert.ok(task.labels.includes(label));
    }
    for (const text of [...trained].filter(() => task.name.startsWith("mail")))
      assert.doesNotMatch(text, /\S@\S|^\[\w+\]|https?:/);
  }
});
