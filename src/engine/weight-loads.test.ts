/** Weights of waiting sequences, by themselves and under the engine, over a pool that is small. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { setImmediate } from "node:timers/promises";
import { systemClock } from "../foundation/clock.ts";
import type { Digest } from "../foundation/digest.ts";
import { StrataError } from "../foundation/errors.ts";
import { SeededRandom } from "../foundation/random.ts";
import { silentTelemetry } from "../foundation/telemetry.ts";
import type { Program } from "../runtime/runtime.ts";
import { Graph } from "../tensor/tensor.ts";
import { AdapterPool, type WantedWeights } from "./adapter-pool.ts";
import type { BatchRow, Lane } from "../lanes/lane.ts";
import { Engine } from "./engine.ts";
import type { SequenceAnswer, SequenceRequest } from "./sequence.ts";
import { type Needing, WeightLoads } from "./weight-loads.ts";
import { Workers } from "./workers.ts";

const { metrics } = silentTelemetry;

/** The pool's length, in floats. */
const poolLength = 100;

/** A pool whose blob `sha256:<n> <any>` holds n times the number n. */
function poolOf(load: (blob: Digest) => Promise<void> = async () => {}): AdapterPool {
  return new AdapterPool({
    bytes: poolLength * Float32Array.BYTES_PER_ELEMENT,
    load: async (blob) => {
      await load(blob);
      const size = sizeOf(blob);
      return new Map([["a", { shape: [size], values: new Float32Array(size).fill(size) }]]);
    },
    metrics,
  });
}

function wanted(size: number, name = ""): WantedWeights {
  return { blob: `sha256:${size} ${name}`, tensors: [{ name: "a", shape: [size] }] };
}

function sizeOf(blob: Digest): number {
  return Number(blob.slice("sha256:".length).split(" ")[0]);
}

/** Whether all room of the pool can be had: nothing is pinned. */
async function isFree(pool: AdapterPool): Promise<boolean> {
  const whole = wanted(poolLength, "whole");
  let isDone = false;
  void pool.acquire(whole).then(() => {
    isDone = true;
    pool.release(whole.blob);
  });
  for (let turn = 0; turn < 5; turn++) await setImmediate();
  return isDone;
}

class Door {
  open: () => void = () => {};
  readonly passed = new Promise<void>((resolve) => (this.open = resolve));
}

describe("weights of sequences that wait", () => {
  interface Told {
    readonly ready: Needing[];
    readonly failed: (readonly [Needing, unknown])[];
  }

  function loadsOf(
    pool: AdapterPool,
    nowMs = () => 0,
  ): Told & { readonly loads: WeightLoads<Needing> } {
    const told: Told = { ready: [], failed: [] };
    const loads = new WeightLoads<Needing>({
      ...{ pool, metrics },
      clock: { ...systemClock, monotonic: nowMs },
      onReady: (sequences) => told.ready.push(...sequences),
      onFailed: (sequences, error) =>
        told.failed.push(...[...sequences].map((one) => [one, error] as const)),
    });
    return { ...told, loads };
  }

  it("are ready when they have come, and tell for how long they were waited for", async () => {
    let nowMs = 10;
    const { loads, ready } = loadsOf(poolOf(), () => nowMs);
    const sequence = { weights: wanted(40), enqueuedMs: 4 };
    loads.add(sequence);
    assert.ok(!loads.isReady(sequence));
    loads.advance([sequence]);
    await setImmediate();
    assert.deepEqual(ready, [sequence]);
    assert.ok(loads.isReady(sequence));
    nowMs = 50;
    const pinned = loads.pin(sequence);
    assert.ok(pinned.kind === "pinned");
    const { resident, loadMs } = pinned;
    assert.equal(resident?.get("a")?.length, 40);
    assert.equal(loadMs, 6);
    const next = { weights: wanted(40), enqueuedMs: 50 };
    loads.add(next);
    const known = loads.pin(next);
    assert.equal(known.kind === "pinned" && known.loadMs, 0);
  });

  it("stay from when they came until their sequence is due, whatever others load", async () => {
    const pool = poolOf();
    const { loads } = loadsOf(pool);
    const sequence = { weights: wanted(40), enqueuedMs: 0 };
    loads.add(sequence);
    loads.advance([sequence]);
    await setImmediate();
    for (const size of [60, 59, 58]) {
      await pool.acquire(wanted(size));
      pool.release(wanted(size).blob);
    }
    assert.ok(loads.isReady(sequence));
    assert.ok(!(await isFree(pool)));
    loads.drop(sequence);
    assert.ok(await isFree(pool));
  });

  it("are let go for those who come to stand in front of them", async () => {
    const pool = poolOf();
    const { loads } = loadsOf(pool);
    const [behind, ...front] = [30, 40, 20, 25, 10].map((size) => ({
      weights: wanted(size),
      enqueuedMs: 0,
    }));
    assert.ok(behind !== undefined);
    loads.add(behind);
    loads.advance([behind]);
    await setImmediate();
    assert.ok(loads.isReady(behind));
    for (const sequence of front) loads.add(sequence);
    loads.advance([...front, behind]);
    for (let turn = 0; turn < 3; turn++) await setImmediate();
    for (const sequence of front) assert.ok(loads.isReady(sequence));
    assert.ok(!loads.isReady(behind));
  });

  it("are given up when nobody waits for them, and leave no pin", async () => {
    const door = new Door();
    const pool = poolOf((blob) => (sizeOf(blob) === 40 ? door.passed : Promise.resolve()));
    const { loads, ready, failed } = loadsOf(pool);
    const sequence = { weights: wanted(40), enqueuedMs: 0 };
    loads.add(sequence);
    loads.advance([sequence]);
    loads.drop(sequence);
    door.open();
    assert.ok(await isFree(pool));
    assert.deepEqual([...ready, ...failed], []);
  });

  it("that cannot be loaded are told to those who need them", async () => {
    const error = new StrataError("CORRUPT", "the blob is damaged");
    const pool = poolOf((blob) =>
      sizeOf(blob) === 40 ? Promise.reject(error) : Promise.resolve(),
    );
    const { loads, ready, failed } = loadsOf(pool);
    const [bad, good] = [40, 30].map((size) => ({ weights: wanted(size), enqueuedMs: 0 }));
    assert.ok(bad !== undefined && good !== undefined);
    for (const sequence of [bad, good]) loads.add(sequence);
    loads.advance([bad, good]);
    await setImmediate();
    assert.deepEqual(ready, [good]);
    assert.deepEqual(failed, [[bad, error]]);
  });
});

/** A lane that answers a row with the number that its weights are made of. */
function laneOver(pool: AdapterPool): Lane<number> {
  const numbersOf = ({ resident }: BatchRow): readonly number[] => {
    const span = resident?.get("a");
    if (span === undefined) return [0];
    return [...pool.memory.subarray(span.offset, span.offset + span.length)];
  };
  const source = { graph: new Graph(), constants: new Map() };
  return {
    key: "numbers",
    msPerToken: 0.001,
    form: "dense",
    adapters: [],
    programFor: () => source,
    feeds: () => ({}),
    // They are read after the run: pinned weights have not moved by then.
    answers: (_, rows) =>
      rows.map((row) => {
        const numbers = numbersOf(row);
        return new Set(numbers).size === 1 ? numbers[0] : NaN;
      }),
  };
}

/** Takes a few turns of the event loop. */
const slowProgram: Program = {
  run: async () => {
    for (let turn = 0; turn < 3; turn++) await setImmediate();
    return {};
  },
  write: () => assert.fail("nothing is written"),
  read: () => assert.fail("nothing is read"),
  release: () => Promise.resolve(),
};

function engineOver(pool: AdapterPool): Engine {
  const runtime = { prepare() {}, load: async () => slowProgram, close: async () => {} };
  const workers = new Workers([runtime, runtime]);
  return new Engine({ workers, pool, clock: systemClock, telemetry: silentTelemetry });
}

describe("the engine over a pool", () => {
  const asked = (
    lane: Lane<number>,
    weights: WantedWeights | undefined,
    count = 1,
  ): SequenceRequest<number>[] =>
    Array.from({ length: count }, () => ({
      lane,
      flow: { id: weights?.blob ?? "base", weight: 1, deadlineMs: Infinity },
      row: { ids: new Int32Array(8), pooling: "mean", adapter: undefined, outputCount: 0 },
      weights,
    }));

  it("answers everyone with their own weights, of which the pool holds a few", async () => {
    const random = new SeededRandom(5);
    const pool = poolOf(async () => {
      for (let turn = random.integer(6); turn > 0; turn--) await setImmediate();
    });
    const lane = laneOver(pool);
    const engine = engineOver(pool);
    const answered: Promise<void>[] = [];
    const answerIs = async (answer: Promise<SequenceAnswer<number>>, size: number) =>
      assert.equal((await answer).answer, size);
    for (let request = 0; request < 600; request++) {
      const size = random.integer(101);
      const weights = size === 0 ? undefined : wanted(size, `${random.integer(2)}`);
      const answers = engine.submit(asked(lane, weights, 1 + random.integer(4)));
      answered.push(...answers.map((answer) => answerIs(answer, size)));
      if (random.uniform() < 0.2) await setImmediate();
    }
    await Promise.all(answered);
    assert.ok(await isFree(pool));
  });

  it("lets nobody wait for the weights of others", async () => {
    const door = new Door();
    const pool = poolOf((blob) => (sizeOf(blob) === 40 ? door.passed : Promise.resolve()));
    const lane = laneOver(pool);
    const engine = engineOver(pool);
    const parked = engine.submit(asked(lane, wanted(40), 3));
    const others = [...asked(lane, wanted(30), 70), ...asked(lane, undefined, 70)];
    for (const { answer } of await Promise.all(engine.submit(others)))
      assert.ok(answer === 30 || answer === 0);
    door.open();
    for (const { answer, loadMs, queueMs, runMs } of await Promise.all(parked)) {
      assert.equal(answer, 40);
      assert.ok(loadMs > 0 && queueMs >= 0 && runMs > 0, `${loadMs} ${queueMs} ${runMs}`);
    }
  });

  it("forgets a load that its caller has given up, and takes new ones", async () => {
    const door = new Door();
    const pool = poolOf((blob) => (sizeOf(blob) === 40 ? door.passed : Promise.resolve()));
    const lane = laneOver(pool);
    const engine = engineOver(pool);
    const abort = new AbortController();
    const [given] = engine.submit(asked(lane, wanted(40)), abort.signal);
    await setImmediate();
    abort.abort();
    await assert.rejects(given ?? Promise.resolve(), { code: "CANCELLED" });
    const [again] = engine.submit(asked(lane, wanted(40)));
    door.open();
    assert.equal((await again)?.answer, 40);
    assert.ok(await isFree(pool));
  });

  it("refuses weights that are larger than the pool, and goes on", async () => {
    const pool = poolOf();
    const lane = laneOver(pool);
    const engine = engineOver(pool);
    const [large] = engine.submit(asked(lane, wanted(101)));
    await assert.rejects(large ?? Promise.resolve(), { code: "UNSUPPORTED" });
    const [next] = engine.submit(asked(lane, wanted(100)));
    assert.equal((await next)?.answer, 100);
  });
});
