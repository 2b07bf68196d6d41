/** Masked tokens: which are masked, that head and tri-gram part learn in turn, and resuming. */
import assert from "node:assert/strict";
import { after, describe, it } from "node:test";
import { SeededRandom } from "../foundation/random.ts";
import { OrtRuntime } from "../runtime/ort/ort-runtime.ts";
import type { Value } from "../runtime/runtime.ts";
import type { DistillationOptions } from "./distillation.ts";
import { type ExamRun, learn } from "./exam-distil.ts";
import { maskedFeeds, maskedTokens, type SpecialTokens } from "./masked-tokens.ts";

const runtime = new OrtRuntime({ threadCount: 1, spinUs: 0 });
after(() => runtime.close());

const special: SpecialTokens = { maskId: 3, ids: new Set([0, 1, 2, 3]), vocabularySize: 13 };

describe("masked tokens of a batch", () => {
  const text = Int32Array.from({ length: 4002 }, (_, place) => 1000 + place);
  text[0] = 1;
  text[4001] = 2;
  const wide = { ...special, vocabularySize: 500 };
  const feeds = maskedFeeds([text, Int32Array.of(1, 5000, 2)], {
    special: wide,
    random: new SeededRandom(4),
  });
  const rows = integers(feeds["rows"]);
  const targets = integers(feeds["targets"]);
  /** The middle of each token's own tri-gram. */
  const seen = rows.map((row) => {
    const slot = integers(feeds["indices"])[row * 3] ?? NaN;
    return integers(feeds["ngrams"])[slot];
  });

  it("are 15 % of the texts' own, with their words as targets", () => {
    assert.equal(rows.length, Math.round(0.15 * 4001));
    for (const [index, row] of rows.entries()) {
      const word = row < 4002 ? text[row] : 5000;
      assert.equal(targets[index], word);
      assert.ok(row !== 0 && row !== 4001 && row !== 4002);
    }
  });

  it("are hidden, replaced or kept as 80, 10 and 10 %", () => {
    const share = (test: (word: number | undefined, target: number | undefined) => boolean) =>
      seen.filter((word, index) => test(word, targets[index])).length / seen.length;
    assert.ok(Math.abs(share((word) => word === 3) - 0.8) < 0.04);
    assert.ok(Math.abs(share((word, target) => word === target) - 0.1) < 0.04);
    // Words of the texts lie above the vocabulary that replacements come from.
    assert.ok(Math.abs(share((word) => word !== 3 && (word ?? 500) < 500) - 0.1) < 0.04);
  });

  it("leave the given texts as they are, and one at least is masked", () => {
    assert.equal(text[7], 1007);
    const { rows: few } = maskedFeeds([Int32Array.of(1, 7, 2)], {
      special,
      random: new SeededRandom(1),
    });
    assert.deepEqual(integers(few), [1]);
  });
});

describe("learning masked tokens", () => {
  const options: DistillationOptions = {
    learningRate: 0.005,
    batchTokensMax: 256,
    stepCount: 200,
    shares: { unigrams: 1, bigrams: 1, trigrams: 1 },
    lookedUpShare: 0,
    upperRateFactor: 0.5,
    seed: 3,
    savePointStepCount: 40,
  };
  const random = new SeededRandom(11);
  /** Each word tells the next, round and round: 4, 5, … 12, 4, … */
  const texts = Array.from({ length: 120 }, () => {
    const first = random.integer(9);
    const words = Array.from({ length: 6 + random.integer(6) }, (_, place) => (first + place) % 9);
    return Int32Array.of(1, ...words.map((word) => 4 + word), 2);
  });
  const general = learn(runtime, { options: { ...options, stepCount: 20 }, texts });
  const run = async (own: DistillationOptions, more: Pick<ExamRun, "from" | "stopAt"> = {}) =>
    learn(runtime, {
      options: own,
      texts,
      start: await general,
      objective: (task) => maskedTokens(task, own, special),
      ...more,
    });

  it("fits the head first, on the given weights, then both; the merge stays", async () => {
    const { curve, values } = await run(options);
    const points = curve.map(({ step, errors, loss, words }) => ({ step, errors, loss, words }));
    const [start, fitted, first, , , end] = points;
    assert.ok(start && fitted && first && end);
    // The first fifth of the steps.
    assert.equal(fitted.step, 40);
    assert.deepEqual(fitted.errors, start.errors);
    assert.notDeepEqual(first.errors, fitted.errors);
    const [before, between, after] = [start, fitted, end].map(({ words }) => words?.loss ?? NaN);
    assert.ok(Number(between) < Number(before), `${between} of ${before}`);
    assert.ok(Number(after) < Number(between), `${after} of ${between}`);
    // Better than the shares of nine words, which need no context.
    assert.ok(Number(end.loss) < 0.85 * Math.log(9), `${end.loss}`);
    for (const [name, value] of (await general).values)
      if (/^ngram\.merge\..*(position|gain|bias)$/.test(name))
        assert.deepEqual(values.get(name), value, name);
    assert.ok(!values.has("ngram.merge.position.mean"));
  });

  it("ends with the same bits after a stop before, at and after the change", async () => {
    const short = { ...options, stepCount: 20, savePointStepCount: 2 };
    const whole = await run(short);
    for (const stopAt of [2, 4, 6]) {
      const resumed = await run(short, { from: await run(short, { stopAt }) });
      assert.deepEqual(resumed, whole, `stopped at ${stopAt}`);
    }
  });
});

function integers(value: Value | undefined): readonly number[] {
  return Array.from(value?.values ?? [], Number);
}
