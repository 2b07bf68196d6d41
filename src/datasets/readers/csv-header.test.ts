/** What is said of a file whose columns have no known names, and how its bad rows are counted. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { StrataError } from "../../foundation/errors.ts";
import { type Dataset, faultSummary } from "../datasets.ts";
import { readDataset, readTexts } from "../exam-reading.ts";

async function* chunksOf(content: string): AsyncGenerator<Uint8Array> {
  yield Buffer.from(content);
}

const csv = (content: string): Promise<Dataset> =>
  readDataset(chunksOf(content), { filename: "a.csv" });

test("needs a header, and says so in one sentence", async () => {
  for (const [source, reason] of [
    [
      "hello,x\nb,y\n",
      /names no column for the text or the label \(found: "hello", "x"\).*such as "text,label"$/,
    ],
    [
      "Type;Example\nx;a pie\n",
      /line 1 .*\(found: "Type", "Example"\): .* rename .* "text", .*; .* first row.*"label;text"$/,
    ],
    ["7\tx\ta pie\u200b\n", /"a pie\\u\{200b\}"\).* such as "column1\tlabel\ttext"$/],
    ["a,b,,\n", /such as "text,label,column3,column4"$/],
    [",".repeat(99), /\(found: .* and 92 more\).*put a header line before it, of 100 names$/],
    ["text\na\n", /holds one column only \(found: "text"\): expected a header with the text and/],
    [
      "text,entities\na,[]\n",
      /line 1 names entities, which cannot be given as CSV: use JSON lines/,
    ],
    ["\ntext,kind\na,b\n", /line 2 names no column for the label: expected one of "label"/],
    ["words,label\na,b\n", /line 1 names no column for the text/],
    ["text,class,label\na,b,c\n", /"class" \(column 2\) and "label" \(column 3\); rename/],
  ] as const)
    await assert.rejects(csv(source), (error) => {
      assert.ok(error instanceof StrataError);
      assert.match(error.message, /^Cannot read "a.csv": line/);
      assert.match(error.message, reason);
      return true;
    });
  assert.equal((await csv("")).examples.length, 0);
});

test("a row is counted once, as in training: one that has swallowed lines is no text", async () => {
  const content = 'text,label\na,x\n"b,x\nc,x\nd",y\n"e\n\nf",x\n"g" g,x\nh,x\n';
  const { faults, faultCount, examples } = await csv(content);
  const summary = faultSummary({ faults, faultCount }, examples.length);
  assert.match(summary ?? "", /^2 of 5 rows cannot be used: line 3: .*; line 9: /);
  await assert.rejects(readTexts(chunksOf(content), { filename: "a.csv" }), {
    message: `Cannot read "a.csv": ${summary}`,
  });
});

test("the header that a message advises makes the file readable", async () => {
  for (const body of ["the tea,good\nthe cold pie,bad\n", "7;the tea;good\n8;the pie;bad\n"]) {
    let advice = "";
    await assert.rejects(readTexts(chunksOf(body), { filename: "a.csv" }), ({ message }: Error) => {
      advice = message;
      return true;
    });
    const header = /such as "([^"]*)"$/.exec(advice)?.[1];
    const { texts } = await readTexts(chunksOf(`${header}\n${body}`), { filename: "a.csv" });
    assert.deepEqual(
      texts.map((text) => text.slice(0, 4)),
      ["the ", "the "],
    );
    assert.deepEqual((await csv(`${header}\n${body}`)).labels, ["bad", "good"]);
  }
});
