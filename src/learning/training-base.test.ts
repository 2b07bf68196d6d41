/** Programs of training graphs have owners: what a fit has loaded is freed when it ends. */
import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import type { AdapterSpecification } from "../entities/virtual-model.ts";
import { StrataError } from "../foundation/errors.ts";
import { allLayers, upperBottleneck } from "../models/adapters/adapters.ts";
import { CountingRuntime } from "../runtime/exam-counting.ts";
import type { Runtime } from "../runtime/runtime.ts";
import { textClassification } from "../tasks/text-classification.ts";
import { openSmallBase, type SmallBase } from "./exam-base.ts";
import { hardLines } from "./exam-lines.ts";
import { fit, type FitOptions } from "./learning.ts";
import { shallowStates, type Sequences } from "./sequences.ts";
import { TrainingBase } from "./training-base.ts";

let small: SmallBase;
let counting: CountingRuntime;
let base: TrainingBase;

before(async () => {
  small = await openSmallBase();
  counting = new CountingRuntime(small.runtime);
  base = new TrainingBase({ ...small, precision: "fp32", runtime: counting });
});

after(() => small.close());

async function sequencesOf(count: number, seed: number): Promise<Sequences> {
  const lines = hardLines(count, seed);
  const { ids } = await (await small.checkpoint.tokenizer()).encode(lines.map(({ text }) => text));
  const answers = lines.map(({ label }) => Int32Array.of(label === "same" ? 1 : 0));
  return { ids, answers, states: undefined };
}

async function fitted(change: Partial<FitOptions> = {}) {
  const [train, dev] = [await sequencesOf(60, 1), await sequencesOf(20, 3)];
  const task = { kind: textClassification, train, dev, labelCount: 2, pooling: "mean" } as const;
  return fit(base, task, {
    ...{ epochCount: 2, learningRate: 0.01, batchSize: 16, patience: 3, seed: 1 },
    adapter: upperBottleneck(small.checkpoint.config, 4),
    ...change,
  });
}

describe("programs of training", () => {
  it("are released when their fit ends, whatever it learns and however it ends", async () => {
    const { config } = small.checkpoint;
    const layers = allLayers(config);
    const adapters: readonly (AdapterSpecification | undefined)[] = [
      upperBottleneck(config, 4),
      { kind: "lora", rank: 4, layers },
      { kind: "bottleneck", rank: 4, layers },
      undefined,
    ];
    for (const adapter of adapters) await fitted({ adapter, epochCount: 1 });
    assert.equal(counting.heldCount, 0);
    // One steps, one answers.
    assert.equal(counting.mostHeldCount, 2);
    const stopped = AbortSignal.abort(new StrataError("CANCELLED", "enough"));
    await assert.rejects(fitted({ signal: stopped }), { message: "enough" });
    assert.equal(counting.heldCount, 0);
  });

  it("that keep state belong to one fit: two at once learn what each learns alone", async () => {
    const alone = await fitted({ seed: 2 });
    const [together] = await Promise.all([fitted({ seed: 2 }), fitted({ seed: 3 })]);
    assert.deepEqual(together, alone);
  });

  it("that keep none are shared, and of those that nobody runs the last is kept", async () => {
    const { ids } = await sequencesOf(20, 5);
    const heldBefore = counting.heldCount;
    const features = { source: "ids", unit: "sequence" } as const;
    await Promise.all([shallowStates(base, ids), shallowStates(base, ids)]);
    assert.equal(counting.heldCount, heldBefore + 1);
    await base.withFeatures(features, async () => {
      await base.withFeatures(features, async () => {});
      assert.equal(counting.heldCount, heldBefore + 2);
    });
    assert.equal(counting.heldCount, heldBefore + 1);
    await base.withFeatures(features, async () => {});
    assert.equal(counting.heldCount, heldBefore + 1);
  });

  it("that cannot be loaded are asked for again", async () => {
    const failure = new Error("no memory");
    let isFailing = true;
    const failing: Runtime = {
      prepare: () => {},
      load: (graph, options) =>
        isFailing ? Promise.reject(failure) : small.runtime.load(graph, options),
      close: async () => {},
    };
    const weak = new TrainingBase({ ...small, precision: "fp32", runtime: failing });
    const { ids } = await sequencesOf(2, 1);
    await assert.rejects(shallowStates(weak, ids), failure);
    isFailing = false;
    assert.equal((await shallowStates(weak, ids)).length, 2);
  });
});
