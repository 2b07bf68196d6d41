import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { setImmediate } from "node:timers/promises";
import type { Digest } from "../foundation/digest.ts";
import { StrataError } from "../foundation/errors.ts";
import { SeededRandom } from "../foundation/random.ts";
import { silentTelemetry } from "../foundation/telemetry.ts";
import { AdapterPool, type Resident } from "./adapter-pool.ts";

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
        ["a", new Float32Array(half).fill(size)],
        ["b", new Float32Array(size - half).fill(size)],
      ]);
    },
  });
  return { pool, loads };
}

function blobOf(size: number): Digest {
  return `sha256:${size}`;
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
  void promise.then(() => (isDone = true));
  for (let turn = 0; turn < 3; turn++) await setImmediate();
  return isDone;
}

describe("the adapter pool", () => {
  it("loads a blob once, however many ask for it at the same time", async () => {
    const { pool, loads } = poolOf(100);
    const residents = await Promise.all([1, 2, 3].map(() => pool.acquire(blobOf(40))));
    assert.deepEqual(loads, [40]);
    for (const resident of residents) assert.ok(isIntact(pool, resident, 40));
  });

  it("gives who finds it evicted the same values as who finds it resident", async () => {
    const { pool, loads } = poolOf(50);
    for (const size of [40, 30, 40, 30, 40]) {
      assert.ok(isIntact(pool, await pool.acquire(blobOf(size)), size));
      pool.release(blobOf(size));
    }
    assert.deepEqual(loads, [40, 30, 40, 30, 40]);
  });

  it("evicts what was used longest ago", async () => {
    const { pool, loads } = poolOf(100);
    for (const size of [40, 41, 40, 42, 40, 41]) {
      await pool.acquire(blobOf(size));
      pool.release(blobOf(size));
    }
    // 42 takes the place of 41, which was used before 40 was; 41 then takes that of 42.
    assert.deepEqual(loads, [40, 41, 42, 41]);
  });

  it("waits while all is pinned, and goes on at a release", async () => {
    const { pool } = poolOf(100);
    const first = await pool.acquire(blobOf(70));
    const second = pool.acquire(blobOf(60));
    assert.equal(await isSettled(second), false);
    assert.ok(isIntact(pool, first, 70));
    pool.release(blobOf(70));
    assert.ok(isIntact(pool, await second, 60));
  });

  it("keeps an entry until its last user has released it", async () => {
    const { pool } = poolOf(100);
    const first = await pool.acquire(blobOf(70));
    await pool.acquire(blobOf(70));
    const other = pool.acquire(blobOf(60));
    pool.release(blobOf(70));
    assert.equal(await isSettled(other), false);
    assert.ok(isIntact(pool, first, 70));
    pool.release(blobOf(70));
    await other;
  });

  it("does not keep a small one waiting behind a large one", async () => {
    const { pool } = poolOf(100);
    await pool.acquire(blobOf(70));
    const large = pool.acquire(blobOf(60));
    assert.ok(isIntact(pool, await pool.acquire(blobOf(30)), 30));
    assert.equal(await isSettled(large), false);
    pool.release(blobOf(70));
    await large;
  });

  it("refuses what is larger than itself, and takes what just fits", async () => {
    const { pool } = poolOf(100);
    const isTooLarge = (error: unknown): boolean =>
      error instanceof StrataError && error.code === "TOO_LARGE" && /400 bytes/.test(error.message);
    await assert.rejects(pool.acquire(blobOf(101)), isTooLarge);
    assert.ok(isIntact(pool, await pool.acquire(blobOf(100)), 100));
  });

  it("tells all who wait that loading failed, and loads again for the next", async () => {
    let isBroken = true;
    const { pool } = poolOf(100, async () => {
      if (isBroken) throw new StrataError("CORRUPT", "bits have rotted");
    });
    const outcomes = await Promise.allSettled([pool.acquire(blobOf(9)), pool.acquire(blobOf(9))]);
    for (const outcome of outcomes) assert.equal(outcome.status, "rejected");
    isBroken = false;
    assert.ok(isIntact(pool, await pool.acquire(blobOf(9)), 9));
  });

  it("refuses a release too many", async () => {
    const { pool } = poolOf(100);
    await pool.acquire(blobOf(9));
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
        void pool.acquire(blobOf(size)).then((resident) => {
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
    assert.ok(isIntact(pool, await pool.acquire(blobOf(1000)), 1000), "all room is free again");
  });
});
