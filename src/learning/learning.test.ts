/** The training loop over a small base on ONNX Runtime: reproducible, and its best epoch counts. */
import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { StrataError } from "../foundation/errors.ts";
import { answersTo } from "./answers.ts";
import { fit, type FitOptions, type FitProgress } from "./learning.ts";
import type { AdapterSpecification } from "../entities/virtual-model.ts";
import { upperBottleneck, upperForm } from "../models/adapters/adapters.ts";
import { type Sequences, shallowStates } from "./sequences.ts";
import { textClassification } from "../tasks/text-classification.ts";
import { tokenClassification } from "../tasks/token-classification.ts";
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

function bottleneck(): AdapterSpecification {
  return upperBottleneck(small.checkpoint.config, 16);
}

describe("a fit", () => {
  const options: Omit<FitOptions, "adapter"> = {
    epochCount: 12,
    learningRate: 0.01,
    batchSize: 16,
    patience: 3,
    seed: 1,
  };

  async function sequencesOf(lines: readonly Line[]): Promise<Sequences> {
    const tokenizer = await small.checkpoint.tokenizer();
    const { ids } = await tokenizer.encode(lines.map(({ text }) => text));
    const answers = lines.map(({ label }) => Int32Array.of(label === "same" ? 1 : 0));
    return { ids, answers, states: undefined };
  }

  async function run(change: Partial<FitOptions> = {}) {
    const task = {
      kind: textClassification,
      train: await sequencesOf(hardLines(200)),
      dev: await sequencesOf(hardLines(60, 3)),
      labelCount: 2,
      pooling: "mean",
    } as const;
    const progress: FitProgress[] = [];
    const onProgress = (step: FitProgress): void => void progress.push(step);
    return {
      task,
      progress,
      fitted: await fit(base, task, { ...options, adapter: bottleneck(), ...change, onProgress }),
    };
  }

  for (const method of ["adapter", "full"] as const)
    it(`gives the same bits for the same seed, and others for another: ${method}`, async () => {
      const adapter = method === "adapter" ? bottleneck() : undefined;
      const change = { adapter, epochCount: 3 };
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
    const answers = await answersTo(base, asked, {
      method: "adapter",
      adapter: upperForm(small.checkpoint.config),
      tensors,
    });
    const rightCount = answers.filter(
      ([answer], index) => answer === task.dev.answers[index]?.[0],
    ).length;
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
      adapter: bottleneck(),
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
  /** The second word is an entity, whose label depends on both words. */
  async function markedOf(lines: readonly Line[]): Promise<Sequences> {
    const tokenizer = await small.checkpoint.tokenizer();
    const { ids, words } = await tokenizer.encodeWords(lines.map(({ text }) => text));
    const answers = lines.map(({ label }) => Int32Array.of(1, 2, label === "same" ? 1 : 0));
    return { ids, answers, firsts: words.map(({ tokens }) => tokens), states: undefined };
  }

  it("learns labels that depend on neighbours, the same from ids as from kept states", async () => {
    const train = await markedOf(hardLines(200));
    const dev = await markedOf(hardLines(60, 3));
    const kind = tokenClassification;
    const task = { kind, train, dev, labelCount: 2, pooling: "mean" } as const;
    const options: FitOptions = {
      epochCount: 40,
      learningRate: 0.01,
      adapter: bottleneck(),
      batchSize: 16,
      patience: 10,
      seed: 1,
    };
    const fitted = await fit(base, task, options);
    const score = fitted.devScore ?? NaN;
    assert.ok(score > 0.8, `dev F1 ${score}`);
    const kept = {
      train: { ...train, states: await shallowStates(base, train.ids) },
      dev: { ...dev, states: await shallowStates(base, dev.ids) },
    };
    const again = await fit(base, { ...task, ...kept }, options);
    assert.ok(Math.abs((again.devScore ?? NaN) - score) < 0.05, `dev F1 ${again.devScore}`);
  });
});
