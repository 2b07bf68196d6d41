import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { setImmediate } from "node:timers/promises";
import type { Digest } from "../foundation/digest.ts";
import { StrataError } from "../foundation/errors.ts";
import { SeededRandom } from "../foundation/random.ts";
import { silentTelemetry } from "../foundation/telemetry.ts";
import { AdapterPool, type WantedWeights } from "./adapter-pool.ts";
import type { Resident } from "../lanes/lane.ts";

/** A pool whose blob `sha256:<n>` holds two tensors of n floats in all, each of them n. */
function poolOf(length: number, load?: (length: number) => Promise<void>) {
  const loads: number[] = [];
  const pool = new AdapterPool({
    bytes: 4 * length,
    metrics: silentTelemetry.metrics,
    load: async (blob) => {
      const size = sizeOf(blob);
      loads.push(size);
      await load?.(size);
      const half = Math.floor(size / 2);
      return new Map([
        ["a", { shape: [half], values: new Float32Array(half).fill(size) }],
        ["b", { shape: [size - half], values: new Float32Array(size - half).fill(size) }],
      ]);
    },
  });
  return { pool, loads };
}

function blobOf(size: number): Digest {
  return `sha256:${size}`;
}

/** What a version says whose blob is `sha256:<size>`. */
function wanted(size: number, signal?: AbortSignal): WantedWeights {
  const half = Math.floor(size / 2);
  const tensors = [
    { name: "a", shape: [half] },
    { name: "b", shape: [size - half] },
  ];
  return { blob: blobOf(size), tensors, signal };
}

function sizeOf(blob: Digest): number {
  return Number(blob.slice("sha256:".length));
}

/** Whether the memory at the spans is what was loaded. */
function isIntact(pool: AdapterPool, resident: Resident, size: number): boolean {
  const values = [...resident.values()].flatMap(({ offset, length }) =>
    Array.from(pool.memory.subarray(offset, offset + length)),
  );
  return values.length === size && values.every((value) => value === size);
}

/** Whether the promise settles without anything else happening. */
async function isSettled(promise: Promise<unknown>): Promise<boolean> {
  let isDone = false;
  const settle = (): boolean => (isDone = true);
  void promise.then(settle, settle);
  for (let turn = 0; turn < 3; turn++) await setImmediate();
  return isDone;
}

describe("the adapter pool", () => {
  it("loads a blob once, however many ask for it at the same time", async () => {
    const { pool, loads } = poolOf(100);
    const residents = await Promise.all([1, 2, 3].map(() => pool.acquire(wanted(40))));
    assert.deepEqual(loads, [40]);
    for (const resident of residents) assert.ok(isIntact(pool, resident, 40));
  });

  it("gives who finds it evicted the same values as who finds it resident", async () => {
    const { pool, loads } = poolOf(50);
    for (const size of [40, 30, 40, 30, 40]) {
      assert.ok(isIntact(pool, await pool.acquire(wanted(size)), size));
      pool.release(blobOf(size));
    }
    assert.deepEqual(loads, [40, 30, 40, 30, 40]);
  });

  it("evicts what was used longest ago", async () => {
    const { pool, loads } = poolOf(100);
    for (const size of [40, 41, 40, 42, 40, 41]) {
      await pool.acquire(wanted(size));
      pool.release(blobOf(size));
    }
    // 42 takes the place of 41, which was used before 40 was; 41 then takes that of 42.
    assert.deepEqual(loads, [40, 41, 42, 41]);
  });

  it("waits while all is pinned, and goes on at a release", async () => {
    const { pool } = poolOf(100);
    const first = await pool.acquire(wanted(70));
    const second = pool.acquire(wanted(60));
    assert.equal(await isSettled(second), false);
    assert.ok(isIntact(pool, first, 70));
    pool.release(blobOf(70));
    assert.ok(isIntact(pool, await second, 60));
  });

  it("keeps an entry until its last user has released it", async () => {
    const { pool } = poolOf(100);
    const first = await pool.acquire(wanted(70));
    await pool.acquire(wanted(70));
    const other = pool.acquire(wanted(60));
    pool.release(blobOf(70));
    assert.equal(await isSettled(other), false);
    assert.ok(isIntact(pool, first, 70));
    pool.release(blobOf(70));
    await other;
  });

  it("does not keep a small one waiting behind a large one", async () => {
    const { pool } = poolOf(100);
    await pool.acquire(wanted(70));
    const large = pool.acquire(wanted(60));
    assert.ok(isIntact(pool, await pool.acquire(wanted(30)), 30));
    assert.equal(await isSettled(large), false);
    pool.release(blobOf(70));
    await large;
  });

  it("evicts nothing for one that does not fit beside what is pinned", async () => {
    const { pool, loads } = poolOf(100);
    await pool.acquire(wanted(70));
    await pool.acquire(wanted(20));
    pool.release(blobOf(20));
    const large = pool.acquire(wanted(60));
    assert.equal(await isSettled(large), false);
    await pool.acquire(wanted(20));
    assert.deepEqual(loads, [70, 20, 60]);
    pool.release(blobOf(70));
    await large;
  });

  it("refuses what is larger than itself, and takes what just fits", async () => {
    const { pool } = poolOf(100);
    const isTooLarge = (error: unknown): boolean =>
      error instanceof StrataError &&
      error.code === "UNSUPPORTED" &&
      / 404 bytes.* has 400$/.test(error.message);
    await assert.rejects(pool.acquire(wanted(101)), isTooLarge);
    assert.ok(isIntact(pool, await pool.acquire(wanted(100)), 100));
  });

  it("tells all who wait that loading failed, and loads again for the next", async () => {
    let isBroken = true;
    const { pool } = poolOf(100, async () => {
      if (isBroken) throw new StrataError("CORRUPT", "bits have rotted");
    });
    const outcomes = await Promise.allSettled([pool.acquire(wanted(9)), pool.acquire(wanted(9))]);
    for (const outcome of outcomes) assert.equal(outcome.status, "rejected");
    isBroken = false;
    assert.ok(isIntact(pool, await pool.acquire(wanted(9)), 9));
  });

  it("refuses a release too many", async () => {
    const { pool } = poolOf(100);
    await pool.acquire(wanted(9));
    pool.release(blobOf(9));
    assert.throws(() => pool.release(blobOf(9)), /released as often as it was acquired/);
    assert.throws(() => pool.release(blobOf(8)), /pinned entry stays resident/);
  });

  it("keeps what is pinned in its place over 10,000 random acquires and releases", async () => {
    const seed = 11;
    const random = new SeededRandom(seed);
    const { pool, loads } = poolOf(1000, async () => {
      if (random.uniform() < 0.3) await setImmediate();
    });
    const pinned: { readonly resident: Resident; readonly size: number }[] = [];
    let waitingCount = 0;
    let acquireCount = 0;
    for (let step = 0; step < 10_000; step++) {
      if (random.uniform() < 0.5 && waitingCount < 8) {
        const size = 1 + random.integer(400);
        waitingCount += 1;
        void pool.acquire(wanted(size)).then((resident) => {
          waitingCount -= 1;
          acquireCount += 1;
          pinned.push({ resident, size });
        });
      } else if (pinned.length > 0) {
        const [one] = pinned.splice(random.integer(pinned.length), 1);
        assert.ok(one);
        assert.ok(isIntact(pool, one.resident, one.size), `step ${step}, seed ${seed}`);
        pool.release(blobOf(one.size));
      }
      if (step % 4 === 0) await setImmediate();
    }
    // Everyone who waits is served in the end.
    while (waitingCount > 0 || pinned.length > 0) {
      for (const { resident, size } of pinned.splice(0)) {
        assert.ok(isIntact(pool, resident, size), `at the end, seed ${seed}`);
        pool.release(blobOf(size));
      }
      await setImmediate();
    }
    assert.ok(acquireCount > 3000, `${acquireCount} were acquired`);
    assert.ok(loads.length > 1000, `${loads.length} were loaded`);
    assert.ok(isIntact(pool, await pool.acquire(wanted(1000)), 1000), "all room is free again");
  });

  it("stops waiting when the signal says so, and lets nothing in that nobody wants", async () => {
    const { pool, loads } = poolOf(100);
    await pool.acquire(wanted(70));
    const abort = new AbortController();
    const waiting = pool.acquire(wanted(60, abort.signal));
    assert.equal(await isSettled(waiting), false);
    abort.abort();
    await assert.rejects(waiting, { code: "CANCELLED" });
    pool.release(blobOf(70));
    // 70 was not evicted for it.
    await pool.acquire(wanted(70));
    assert.deepEqual(loads, [70, 60]);
    await assert.rejects(pool.acquire(wanted(9, AbortSignal.abort())), { code: "CANCELLED" });
  });

  it("does not let one's signal end what another waits for", async () => {
    const { pool, loads } = poolOf(100);
    await pool.acquire(wanted(70));
    const abort = new AbortController();
    const one = pool.acquire(wanted(60, abort.signal));
    const other = pool.acquire(wanted(60));
    abort.abort();
    await assert.rejects(one, { code: "CANCELLED" });
    pool.release(blobOf(70));
    assert.ok(isIntact(pool, await other, 60));
    assert.deepEqual(loads, [70, 60]);
  });
});

describe("weights that are not what the version says", () => {
  const cases: readonly (readonly [string, WantedWeights["tensors"], RegExp])[] = [
    [
      "of another shape",
      [named("a", [2, 2]), named("b", [5])],
      /"a": expected \[2, 2\], got \[4\]/,
    ],
    ["that lack a tensor", [named("a", [4]), named("b", [5]), named("c", [1])], /"c" is missing/],
    ["with a tensor too many", [named("a", [4])], /"b" is not one of this version's/],
  ];
  function named(name: string, shape: readonly number[]) {
    return { name, shape };
  }

  for (const [what, tensors, message] of cases)
    it(`are refused, and only to who expects others: ${what}`, async () => {
      const { pool } = poolOf(100);
      const blob = blobOf(9);
      // At once with a healthy version of the same bytes, and again while these are resident.
      const [right, wrong] = await Promise.allSettled([
        pool.acquire(wanted(9)),
        pool.acquire({ blob, tensors }),
      ]);
      assert.equal(right.status, "fulfilled");
      assert.equal(wrong.status, "rejected");
      await assert.rejects(pool.acquire({ blob, tensors }), { code: "CORRUPT", message });
      pool.release(blob);
      assert.throws(() => pool.release(blob), /released as often/);
    });

  it("take no room from others", async () => {
    const { pool, loads } = poolOf(100);
    await pool.acquire(wanted(60));
    pool.release(blobOf(60));
    const wrong = { blob: blobOf(80), tensors: [named("a", [1])] };
    await assert.rejects(pool.acquire(wrong), { code: "CORRUPT" });
    await pool.acquire(wanted(60));
    assert.deepEqual(loads, [60, 80]);
  });

  it("are refused when a number is not finite", async () => {
    for (const value of [NaN, Infinity, -Infinity]) {
      const pool = new AdapterPool({
        bytes: 400,
        metrics: silentTelemetry.metrics,
        load: async () => new Map([["a", { shape: [3], values: Float32Array.of(1, value, 2) }]]),
      });
      const asked = pool.acquire({ blob: blobOf(3), tensors: [named("a", [3])] });
      const message = new RegExp(`tensor "a": value 1 is ${value}, expected a finite number`);
      await assert.rejects(asked, { code: "CORRUPT", message });
    }
  });
});
