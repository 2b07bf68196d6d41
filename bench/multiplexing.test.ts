import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { setImmediate } from "node:timers/promises";
import { describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import { smallConfig, smallWeights } from "../src/checkpoints/exam-encoder.ts";
import { present } from "../src/foundation/assert.ts";
import { systemClock } from "../src/foundation/clock.ts";
import { drawArrivals, steadyDemand } from "../src/placement/demand.ts";
import { simulate } from "../src/placement/simulators/events.ts";
import { idealProfile } from "../src/placement/placement.ts";
import { ReferenceRuntime } from "../src/runtime/reference/reference.ts";
import { execute } from "./multiplexing-dispatcher.ts";
import { type LoadedStage, StageProcess } from "./multiplexing-process.ts";

const ids = [Int32Array.of(1, 2, 3, 4), Int32Array.of(5, 6, 7, 8)];

test("two stage processes answer as one does, and a plan over them is carried out", async () => {
  const processes = [0, 1, 0].map((core) => new StageProcess(core));
  try {
    const weights = await smallWeights(new ReferenceRuntime());
    const model = { config: smallConfig, precision: "fp32", weights } as const;
    const load = (place: number, from: number, until: number): Promise<LoadedStage> =>
      present(processes[place], "three").load({ ...model, span: { from, until } });
    const stages = [await load(0, 0, 1), await load(1, 1, 3)] as const;
    const whole = await load(2, 0, 3);
    const { state } = (await stages[0]({ ids })).results;
    const answer = await stages[1]({ ids, states: present(state, "a stage gives its state") });
    const alone = await whole({ ids });
    assert.deepEqual(answer.results, alone.results);
    assert.ok(answer.busySeconds > 0 && alone.busySeconds > 0);
    const { outcomes, served } = await execute({
      groups: [[{ unit: 0, stages }], [{ unit: 1, stages: [whole] }]],
      arrivals: { seconds: Float64Array.of(0, 0, 0.01), units: Uint32Array.of(0, 1, 0) },
      deadlineSeconds: [60, 60],
      stageSeconds: [[0, 0], [0]],
      profile: idealProfile,
      clock: systemClock,
      ids,
    });
    assert.deepEqual([...outcomes.groups], [0, 1, 0]);
    assert.deepEqual([...outcomes.isGood], [1, 1, 1]);
    const stageCounts = served.map(({ unit, busySeconds }) => `${unit}: ${busySeconds.length}`);
    assert.deepEqual(stageCounts.toSorted(), ["0: 2", "0: 2", "1: 1"]);
  } finally {
    await Promise.all(processes.map((stage) => stage.close()));
  }
});

test("a stage that cannot run a request says so and goes on", async () => {
  const stage = new StageProcess(0);
  try {
    const weights = await smallWeights(new ReferenceRuntime());
    const span = { from: 0, until: 3 };
    const run = await stage.load({ config: smallConfig, precision: "fp32", weights, span });
    await assert.rejects(run({ ids: [new Int32Array(99)] }), /ONNX Runtime/);
    assert.equal((await run({ ids })).results["embeddings"]?.values.length, 2 * 8);
  } finally {
    await stage.close();
  }
});

const parentScript = `
  import { smallConfig, smallWeights } from "./src/checkpoints/exam-encoder.js";
  import { ReferenceRuntime } from "./src/runtime/reference/reference.js";
  import { StageProcess } from "./bench/multiplexing-process.js";
  const weights = await smallWeights(new ReferenceRuntime());
  const stages = [0, 1].map((core) => new StageProcess(core));
  const model = { config: smallConfig, precision: "fp32", weights, span: { from: 0, until: 3 } };
  if (IS_LOADED) await Promise.all(stages.map((stage) => stage.load(model)));
  console.log("ready");
  setInterval(() => {}, 1000);`;

for (const isLoaded of [false, true])
  test(`processes that ${isLoaded ? "work" : "begin"} end with a killed parent`, async () => {
    const script = parentScript.replace("IS_LOADED", String(isLoaded));
    const cwd = fileURLToPath(new URL("..", import.meta.url));
    const parent = spawn(process.execPath, ["--input-type=module", "--eval", script], { cwd });
    await once(parent.stdout, "data");
    parent.kill("SIGKILL");
    // The stages hold the same pipe: it ends with the last of them.
    await once(parent.stdout, "end");
  });

/** Time that passes when everything waits for it. */
class VirtualClock {
  #now = 0;
  readonly #entries: { readonly at: number; readonly callback: () => void }[] = [];

  now(): number {
    return this.#now;
  }

  monotonic(): number {
    return this.#now;
  }

  schedule(delayMs: number, callback: () => void): () => void {
    this.#entries.push({ at: this.#now + delayMs, callback });
    return () => {};
  }

  async run(): Promise<void> {
    for (await setImmediate(); this.#entries.length > 0; await setImmediate()) {
      const at = Math.min(...this.#entries.map((entry) => entry.at));
      const index = this.#entries.findIndex((entry) => entry.at === at);
      const [entry] = this.#entries.splice(index, 1);
      this.#now = at;
      entry?.callback();
    }
  }
}

/** A stage on a clock, which takes exactly so long. */
function stageOf(clock: VirtualClock): (seconds: number) => LoadedStage {
  let freeMs = 0;
  return (seconds) => () => {
    freeMs = Math.max(freeMs, clock.monotonic()) + 1000 * seconds;
    return new Promise((resolve) => {
      clock.schedule(freeMs - clock.monotonic(), () =>
        resolve({ results: {}, waitSeconds: 0, busySeconds: seconds }),
      );
    });
  };
}

describe("the dispatcher", () => {
  test("decides what the event simulator foretells", async () => {
    const arrivals = drawArrivals(
      steadyDemand(
        [1, 2].map(() => ({ rate: 1.2, cv: 3 })),
        60,
      ),
      4,
    );
    const clock = new VirtualClock();
    const [first, second] = [stageOf(clock), stageOf(clock)];
    const stageSeconds = [
      [0.3, 0.35],
      [0.4, 0.25],
    ];
    const groups = [
      stageSeconds.map(([a = 0, b = 0], unit) => ({ unit, stages: [first(a), second(b)] })),
    ];
    const input = { arrivals, deadlineSeconds: [2, 3], profile: idealProfile };
    const running = execute({ ...input, groups, stageSeconds, clock, ids });
    await clock.run();
    const { outcomes } = await running;
    const configuration = { intraOp: 1, stageCount: 2 };
    const foretold = simulate({
      ...input,
      units: stageSeconds.map((stages, unit) => ({
        ...{ name: String(unit), tokenCount: 1 },
        profiles: [
          {
            ...{ configuration, stageBytes: [1, 1] },
            latencies: [{ batchSize: 1, tokenCount: 1, stageSeconds: stages }],
          },
        ],
      })),
      layouts: [{ configuration, units: [0, 1] }],
      dispatching: "clocks",
    });
    assert.deepEqual(outcomes.isGood, foretold.isGood);
    assert.ok(outcomes.isGood.includes(0) && outcomes.isGood.includes(1));
    for (const [request, seconds] of outcomes.finishSeconds.entries())
      assert.ok(Math.abs(seconds - (foretold.finishSeconds[request] ?? NaN)) < 1e-9);
  });
});
