/** Whatever the file, others run all the time. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { gzipSync } from "node:zlib";
import { readDataset } from "./exam-reading.ts";

/** Processor time between two turns of the event loop. Other processes do not count. */
const turnMsMax = 100;
const size = 6 * 1024 * 1024;
const fill = (unit: string): string => unit.repeat(size / unit.length);

/** Each is the whole text. */
const overlapping = Array.from({ length: 4000 }, () => [0, 900_001, "x"]);

const files: readonly (readonly [string, string, string | Uint8Array])[] = [
  ["line ends", "a.csv", fill("\n")],
  ["line ends, JSON", "a.jsonl", fill("\n")],
  ["an open quote", "a.csv", `text,label\n"${fill("a")}`],
  ["an open quote over line ends", "a.csv", `text,label\n"${fill("\n")}`],
  ["an open quote over records", "a.csv", `text,label\n"${fill("some words,x\n")}`],
  ["quotes that open on every line", "a.csv", `text,label\n${fill('"a,x\n')}`],
  ["one line", "a.jsonl", `{"text":"${fill("a")}","label":"x"}`],
  ["one long array", "a.json", `[${fill('{"text":"some words","label":"x"},')}]`],
  ["brackets", "a.jsonl", `{"text":${fill("[")}`],
  ["wide objects", "a.jsonl", fill(`{"text":[${"{},".repeat(600_000)}1]}\n`)],
  ["space before no value", "a.jsonl", fill(`{"text":"a","label":${" ".repeat(99_999)}x}\n`)],
  ["space behind no value", "a.jsonl", fill(`{"text":"a","label":None${" ".repeat(99_999)}x}\n`)],
  ["words that are no values", "a.jsonl", fill(`{"text":"a","label":x${" None,".repeat(9999)}}\n`)],
  [
    "entities over one another",
    "a.jsonl",
    fill(`${JSON.stringify({ text: `${" ".repeat(900_000)}a`, entities: overlapping })}\n`),
  ],
  ["one sentence of CoNLL", "a.conll", "a O\n".repeat(490_000)],
  ["long texts", "a.jsonl", fill(`{"text":"${"wörd ".repeat(190_000)}","label":"x"}\n`)],
  [
    "many spellings",
    "a.csv",
    `text,label\n${fill(`a,x${" ".repeat(99)}\na,x${" ".repeat(98)}\n`)}`,
  ],
  ["examples", "a.csv", `text,label\n${fill("some words that are a text,x\n")}`],
  ["a bomb", "a.csv.gz", gzipSync(Buffer.alloc(64 * 1024 * 1024, "\n"))],
];

test("reading never holds the thread for long", async (t) => {
  for (const [name, filename, content] of files)
    await t.test(name, async () => {
      const bytes = Buffer.from(content);
      let [turnCount, longestMs, last] = [0, 0, process.cpuUsage()];
      let turn = setImmediate(function measure() {
        const { user, system } = process.cpuUsage(last);
        last = process.cpuUsage();
        longestMs = Math.max(longestMs, (user + system) / 1000);
        turnCount += 1;
        turn = setImmediate(measure);
      });
      // Whole, as a store could give it.
      async function* chunks(): AsyncGenerator<Uint8Array> {
        yield bytes;
      }
      await readDataset(chunks(), { filename }).catch(() => {});
      clearImmediate(turn);
      assert.ok(turnCount > 0, "no turn");
      assert.ok(longestMs <= turnMsMax, `a turn took ${longestMs} ms`);
    });
});

test("a reader that waits for its turn can be stopped", async () => {
  const stop = new AbortController();
  async function* chunks(): AsyncGenerator<Uint8Array> {
    yield Buffer.from("text,label\n");
    stop.abort(new Error("enough"));
    for (;;) yield Buffer.from(fill("some words,x\n"));
  }
  await assert.rejects(readDataset(chunks(), { filename: "a.csv", signal: stop.signal }), /enough/);
});
