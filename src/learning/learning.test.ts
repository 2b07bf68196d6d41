/** The training loop over a small base on ONNX Runtime: reproducible, and its best epoch counts. */
import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { StrataError } from "../foundation/errors.ts";
import { classify } from "./answers.ts";
import { fit, type FitOptions, type FitProgress } from "./learning.ts";
import { upperForm } from "../models/adapters/adapters.ts";
import { type Sequences, shallowStates } from "./sequences.ts";
import { fitTokens } from "./token-fit.ts";
import { tokenizeSentences, type TokenSequences } from "./token-sequences.ts";
import type { TrainingBase } from "./training-base.ts";
import { openSmallBase, type SmallBase } from "./exam-base.ts";
import { hardLines, type Line } from "./exam-lines.ts";

let small: SmallBase;
let base: TrainingBase;

before(async () => {
  small = await openSmallBase();
  base = small.base;
});

after(() => small.close());

describe("a fit", () => {
  const options: FitOptions = {
    epochCount: 12,
    learningRate: 0.01,
    rank: 16,
    method: "adapter",
    batchSize: 16,
    patience: 3,
    seed: 1,
  };

  async function sequencesOf(lines: readonly Line[]): Promise<Sequences> {
    const tokenizer = await small.checkpoint.tokenizer();
    const { ids } = await tokenizer.encode(lines.map(({ text }) => text));
    const labels = Int32Array.from(lines, ({ label }) => (label === "same" ? 1 : 0));
    return { ids, labels, states: undefined };
  }

  async function run(change: Partial<FitOptions> = {}) {
    const task = {
      train: await sequencesOf(hardLines(200)),
      dev: await sequencesOf(hardLines(60, 3)),
      labelCount: 2,
      pooling: "mean",
    } as const;
    const progress: FitProgress[] = [];
    const onProgress = (step: FitProgress): void => void progress.push(step);
    return { task, progress, fitted: await fit(base, task, { ...options, ...change, onProgress }) };
  }

  for (const method of ["adapter", "full"] as const)
    it(`gives the same bits for the same seed, and others for another: ${method}`, async () => {
      const change = { method, epochCount: 3 } as const;
      const [first, again] = [(await run(change)).fitted, (await run(change)).fitted];
      assert.deepEqual([...again.tensors], [...first.tensors]);
      assert.deepEqual(again, first);
      const other = (await run({ ...change, seed: 2 })).fitted;
      assert.deepEqual([...other.tensors.keys()], [...first.tensors.keys()]);
      assert.notDeepEqual([...other.tensors], [...first.tensors]);
    });

  it("returns its best epoch, and stops when no better one comes", async () => {
    const { task, progress, fitted } = await run({ epochCount: 40 });
    const accuracies = progress.flatMap(({ devScore = [] }) => devScore);
    const best = Math.max(...accuracies);
    assert.equal(fitted.devScore, best);
    // Of equals the last one within the patience of 3.
    const first = accuracies.indexOf(best) + 1;
    assert.equal(fitted.epochCount, accuracies.slice(0, first + 3).lastIndexOf(best) + 1);
    // Parts of dev have bests of their own, which may come later.
    assert.ok(accuracies.length >= first + 3 && accuracies.length < 40, accuracies.join());
    assert.ok(best > 0.8, `dev accuracy ${best}`);
    // What it returns is that epoch's weights, not the last ones.
    const { tensors } = fitted;
    const asked = { ...task, source: task.dev };
    const answers = await classify(base, asked, {
      method: "adapter",
      adapter: upperForm(small.checkpoint.config),
      tensors,
    });
    const rightCount = answers.filter((answer, index) => answer === task.dev.labels[index]).length;
    assert.equal(rightCount / answers.length, best);
  });

  it("reports rising steps and the loss of those since the last report", async () => {
    const { progress } = await run({ epochCount: 5 });
    const steps = progress.map(({ step }) => step);
    assert.deepEqual(
      steps,
      steps.toSorted((a, b) => a - b),
    );
    assert.equal(progress.at(-1)?.step, progress.at(-1)?.stepCount);
    // 13 steps an epoch: at step 130 of 10 epochs both reports fall together; here none does.
    for (const { loss, step } of progress) assert.ok(loss > 0, `step ${step}: ${loss}`);
    const whole = await run({ epochCount: 10, patience: 10 });
    for (const { loss, step } of whole.progress) assert.ok(loss > 0, `step ${step}: ${loss}`);
  });

  it("stops at the next step of an aborted signal", async () => {
    const abort = new AbortController();
    const { task } = await run({ epochCount: 1 });
    let reportCount = 0;
    const fitting = fit(base, task, {
      ...options,
      signal: abort.signal,
      onProgress: () => {
        reportCount += 1;
        abort.abort(new StrataError("CANCELLED", "enough"));
      },
    });
    await assert.rejects(fitting, { code: "CANCELLED", message: "enough" });
    assert.equal(reportCount, 1);
  });
});

describe("a fit of tokens", () => {
  /** The second word's label depends on both words. */
  async function labelledOf(lines: readonly Line[]): Promise<TokenSequences> {
    const { checkpoint } = small;
    const tokenizer = await checkpoint.tokenizer();
    const sentences = lines.map(({ text, label }) => ({
      words: text.split(" "),
      labels: ["O", `B-${label}`],
    }));
    return tokenizeSentences({ tokenizer, tokensMax: checkpoint.tokensMax }, sentences);
  }

  it("learns labels that depend on neighbours, the same from ids as from kept states", async () => {
    const train = await labelledOf(hardLines(200));
    const dev = await labelledOf(hardLines(60, 3));
    const labels = ["B-other", "B-same", "O"];
    const options: FitOptions = {
      epochCount: 40,
      learningRate: 0.01,
      rank: 16,
      method: "adapter",
      batchSize: 16,
      patience: 10,
      seed: 1,
    };
    const fitted = await fitTokens(base, { train, dev, labels }, options);
    const score = fitted.devScore ?? NaN;
    assert.ok(score > 0.8, `dev F1 ${score}`);
    const kept = {
      train: { ...train, states: await shallowStates(base, train.ids) },
      dev: { ...dev, states: await shallowStates(base, dev.ids) },
    };
    const again = await fitTokens(base, { ...kept, labels }, options);
    assert.ok(Math.abs((again.devScore ?? NaN) - score) < 0.05, `dev F1 ${again.devScore}`);
  });
});
