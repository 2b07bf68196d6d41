/** Checks the creator on both stores: what it refuses, what it keeps, and its races and faults. */
import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, describe, test } from "node:test";
import { operator } from "../entities/caller.ts";
import { decodeSafetensors } from "../formats/safetensors.ts";
import { systemClock } from "../foundation/clock.ts";
import type { Digest } from "../foundation/digest.ts";
import { systemIds } from "../foundation/random.ts";
import { FailingStore } from "../storage/exam-faults.ts";
import { openFileStore } from "../storage/files/file-store.ts";
import { createMemoryStore } from "../storage/memory/memory-store.ts";
import type { Store } from "../storage/storage.ts";
import type { Creator, VersionWeights } from "./creator.ts";
import { firstVersion, named, prepared, weightsOf } from "./exam-model.ts";
import { createCreator } from "./store-creator.ts";

const folders: string[] = [];
after(() => {
  for (const folder of folders) rmSync(folder, { recursive: true });
});

async function blobsOf(store: Store): Promise<ReadonlySet<Digest>> {
  const digests = new Set<Digest>();
  for await (const digest of store.blobs.list()) digests.add(digest);
  return digests;
}

/** Every model serves a version that exists, every version has its blob; returns what is named. */
async function checkWhole(store: Store): Promise<ReadonlySet<Digest>> {
  const named = new Set<Digest>();
  const { models, versions } = store.catalog.of(operator);
  for (const model of await models.list({ limit: 10_000 })) {
    const list = await versions.list(model.incarnation, { limit: 100 });
    const { servedVersion } = model;
    if (servedVersion !== undefined) assert.ok(list.some(({ number }) => number === servedVersion));
    for (const { blob, blobBytes, evidence } of list) {
      assert.equal((await store.blobs.get(blob)).length, blobBytes);
      named.add(blob);
      if (evidence !== undefined) named.add(evidence);
    }
  }
  return named;
}

function examineCreator(name: string, open: () => Promise<Store>): void {
  const examine = (title: string, work: (store: Store, creator: Creator) => Promise<void>): void =>
    void test(title, async () => {
      const store = await open();
      try {
        await work(store, await prepared(store));
        assert.deepEqual(await checkWhole(store), await blobsOf(store));
      } finally {
        await store.close();
      }
    });
  describe(`the creator on ${name}`, () => {
    examineLife(examine);
    examineFirstVersion(examine);
    examineDerive(examine);
    examineRaces(examine);
  });
}

type Examine = (title: string, work: (store: Store, creator: Creator) => Promise<void>) => void;

function examineLife(examine: Examine): void {
  examine("versions are numbered, served and rolled back", async (store, creator) => {
    const first = await creator.publish(operator, named("a"), weightsOf(1));
    const second = await creator.publish(operator, named("a"), weightsOf(2, false));
    assert.deepEqual([first.number, second.number], [1, 2]);
    assert.deepEqual(await store.catalog.of(operator).versions.list("vplm-a", { limit: 100 }), [
      first,
      second,
    ]);
    assert.equal((await store.catalog.of(operator).models.get("a"))?.servedVersion, 1);
    assert.equal((await creator.serve(operator, named("a"), 2)).servedVersion, 2);
    assert.equal((await store.catalog.of(operator).models.get("a"))?.servedVersion, 2);
    const file = decodeSafetensors(await store.blobs.get(second.blob));
    assert.deepEqual([...file.tensor("head.weight").values], [2, 3, 4, 5, 6, 7, 8, 9]);
    await assert.rejects(creator.serve(operator, named("a"), 3), { code: "NOT_FOUND" });
    await assert.rejects(creator.serve(operator, named("b"), 1), { code: "NOT_FOUND" });
    await assert.rejects(creator.publish(operator, named("b"), weightsOf(1)), {
      code: "NOT_FOUND",
    });
  });
  examine("weights and metrics that are not finite are refused", async (_, creator) => {
    for (const value of [Number.NaN, Number.POSITIVE_INFINITY]) {
      const message = new RegExp(`"head.weight" holds ${value} at position 0`);
      const publishing = creator.publish(operator, named("a"), weightsOf(value));
      await assert.rejects(publishing, { code: "INVALID_ARGUMENT", message });
    }
  });
  examine("a blob goes with the last version that names it", async (store, creator) => {
    await creator.create(operator, { ...named("b"), base: "base", labels: ["x", "y"] });
    const shared = await creator.publish(operator, named("a"), weightsOf(1));
    await creator.publish(operator, named("a"), weightsOf(2));
    assert.equal((await creator.publish(operator, named("b"), weightsOf(1))).blob, shared.blob);
    await creator.delete(operator, named("a"));
    assert.deepEqual(await blobsOf(store), new Set([shared.blob]));
    await creator.delete(operator, named("b"));
    assert.equal((await blobsOf(store)).size, 0);
    await assert.rejects(creator.delete(operator, named("a")), { code: "NOT_FOUND" });
  });
}

function examineFirstVersion(examine: Examine): void {
  const wanted = { ...named("f"), base: "base", labels: ["x", "y"] };
  examine(
    "a model with a first version is there with it, or not at all",
    async (store, creator) => {
      const { models, versions } = store.catalog.of(operator);
      const model = await creator.create(operator, wanted, async () => {
        assert.equal(await models.get("f"), undefined);
        return weightsOf(1);
      });
      assert.equal(model.servedVersion, 1);
      assert.deepEqual(await models.get("f"), model);
      assert.equal((await versions.list("vplm-f", { limit: 100 })).length, 1);
      await creator.delete(operator, named("f"));
      const failing = creator.create(operator, wanted, () => Promise.reject(new Error("no fit")));
      await assert.rejects(failing, /no fit/);
      await assert.rejects(
        creator.create(operator, wanted, async () => weightsOf(Number.NaN)),
        { code: "INVALID_ARGUMENT" },
      );
      assert.equal(await models.get("f"), undefined);
    },
  );
  examine("a model that is made with a version has its labels", async (store, creator) => {
    const { labels: _, ...unlabelled } = wanted;
    const unfitted = creator.create(operator, unlabelled);
    await assert.rejects(unfitted, { code: "INVALID_ARGUMENT", field: "labels" });
    const { labels } = await creator.create(operator, unlabelled, async () => weightsOf(1));
    assert.deepEqual(labels, ["x", "y"]);
    assert.deepEqual((await store.catalog.of(operator).models.get("f"))?.labels, ["x", "y"]);
  });
  examine("a name that is taken while a model is fitted stays the other's", async (_, creator) => {
    const creating = creator.create(operator, wanted, async () => {
      await creator.create(operator, { ...wanted, labels: ["other", "labels"] });
      return weightsOf(1);
    });
    await assert.rejects(creating, { code: "ALREADY_EXISTS" });
    const unfitted = (): Promise<VersionWeights> => assert.fail("a taken name is not fitted for");
    await assert.rejects(creator.create(operator, wanted, unfitted), { code: "ALREADY_EXISTS" });
  });
}

function examineDerive(examine: Examine): void {
  examine("derived models differ from each other, and repeat by seed", async (store, creator) => {
    await creator.create(operator, { ...named("w"), base: "wide2000", labels: ["x", "y"] });
    const source = await creator.publish(operator, named("w"), weightsOf(1, true, 4_000));
    const ids = Array.from({ length: 50 }, (_, index) => `d${index}`);
    const models = await creator.derive(operator, {
      source: named("w"),
      ids,
      noise: 0.01,
      seed: 7,
    });
    assert.deepEqual(
      models.map((model) => model.id),
      ids,
    );
    const blobs = new Set<Digest>();
    for (const id of ids) {
      const version = await firstVersion(store, id);
      assert.ok(version);
      blobs.add(version.blob);
      assert.deepEqual(version.metrics, {});
      assert.equal(version.kind, "derived");
    }
    assert.equal(blobs.size, 50);
    assert.ok(!blobs.has(source.blob));
    await creator.derive(operator, { source: named("w"), ids: ["again"], noise: 0.01, seed: 7 });
    const [original, again] = await Promise.all(
      ["d0", "again"].map((id) => firstVersion(store, id)),
    );
    assert.equal(again?.blob, original?.blob);
  });
  examine("the noise is relative to each tensor's root mean square", async (store, creator) => {
    await creator.create(operator, { ...named("w"), base: "wide2000", labels: ["x", "y"] });
    const source = await creator.publish(operator, named("w"), weightsOf(0, true, 4_000));
    await creator.derive(operator, { source: named("w"), ids: ["d"], noise: 0.1, seed: 1 });
    const version = await firstVersion(store, "d");
    const noisy = decodeSafetensors(await store.blobs.get(version?.blob ?? source.blob));
    let squares = 0;
    noisy.tensor("head.weight").values.forEach((value, index) => (squares += (value - index) ** 2));
    // A ramp of 0 … n - 1 has root mean square √((n - 1)(2n - 1) / 6).
    const expected = 0.1 * Math.sqrt((3_999 * 7_999) / 6);
    const found = Math.sqrt(squares / 4_000);
    assert.ok(Math.abs(found / expected - 1) < 0.05, `${found} is not ${expected}`);
    assert.deepEqual([...noisy.tensor("head.bias").values], [0, 0]);
  });
  examine("derivation ends with its signal, and makes nothing", async (store, creator) => {
    await creator.publish(operator, named("a"), weightsOf(1));
    const before = await blobsOf(store);
    const ids = Array.from({ length: 500 }, (_, index) => `d${index}`);
    const controller = new AbortController();
    const wanted = { source: named("a"), ids, noise: 0.1, seed: 1, signal: controller.signal };
    const deriving = creator.derive(operator, wanted);
    for (let step = 0; step < 100; step++) await Promise.resolve();
    controller.abort(new Error("enough"));
    await assert.rejects(deriving, /enough/);
    assert.deepEqual(await blobsOf(store), before);
    assert.equal(await store.catalog.of(operator).models.count(), 1);
  });
  examine("what cannot be derived is refused before anything is made", async (store, creator) => {
    const wanted = { source: named("a"), ids: ["d"], noise: 0.1, seed: 1 };
    await assert.rejects(creator.derive(operator, wanted), { code: "CONFLICT" });
    await creator.publish(operator, named("a"), weightsOf(1));
    const cases = [
      [{ source: named("nobody") }, "NOT_FOUND", "model"],
      [{ ids: ["d", "a"] }, "ALREADY_EXISTS", "ids[1]"],
      [{ ids: ["base"] }, "ALREADY_EXISTS", "ids[0]"],
      [{ ids: ["d", "d"] }, "INVALID_ARGUMENT", "ids[1]"],
      [{ ids: ["d", "no way"] }, "INVALID_ARGUMENT", "ids[1]"],
      [{ noise: 1e-30 }, "INVALID_ARGUMENT", "noise"],
    ] as const;
    for (const [change, code, field] of cases)
      await assert.rejects(creator.derive(operator, { ...wanted, ...change }), { code, field });
    assert.equal(await store.catalog.of(operator).models.count(), 1);
  });
}

function examineRaces(examine: Examine): void {
  examine("versions published at once are numbered without a gap", async (_, creator) => {
    const starts = Array.from({ length: 20 }, (_unused, index) => index);
    const versions = await Promise.all(
      starts.map((start) => creator.publish(operator, named("a"), weightsOf(start))),
    );
    const numbers = versions.map(({ number }) => number);
    assert.deepEqual(
      numbers.toSorted((left, right) => left - right),
      starts.map((start) => start + 1),
    );
  });
  examine("deleting never takes a blob that is being published", async (store, creator) => {
    for (let lead = -30; lead <= 30; lead++) {
      const id = `b${lead}`;
      await creator.create(operator, { ...named(id), base: "base", labels: ["x", "y"] });
      const { blob } = await creator.publish(operator, named(id), weightsOf(lead));
      const isDeletionFirst = lead > 0;
      const deletion = isDeletionFirst ? creator.delete(operator, named(id)) : undefined;
      const publication = isDeletionFirst
        ? undefined
        : creator.publish(operator, named("a"), weightsOf(lead));
      // Who comes first is some steps ahead.
      for (let step = 0; step < Math.abs(lead); step++) await Promise.resolve();
      await Promise.all([
        deletion ?? creator.delete(operator, named(id)),
        publication ?? creator.publish(operator, named("a"), weightsOf(lead)),
      ]);
      assert.ok(await store.blobs.has(blob), `lead of ${lead} steps`);
    }
  });
  examine("deleting during a publication leaves no blob behind", async (store, creator) => {
    for (let round = 0; round < 10; round++) {
      await creator.create(operator, { ...named("c"), base: "base", labels: ["x", "y"] });
      const publishing = creator.publish(operator, named("c"), weightsOf(round)).catch(() => {});
      await Promise.all([publishing, creator.delete(operator, named("c"))]);
      assert.equal((await blobsOf(store)).size, 0, `round ${round}`);
    }
  });
}

examineCreator("the memory store", async () => createMemoryStore());
examineCreator("the file store", async () => {
  const folder = mkdtempSync(join(tmpdir(), "strata-creator-"));
  folders.push(folder);
  return openFileStore(folder);
});

test("a specification is refused by field and limit", async () => {
  const store = createMemoryStore();
  const creator = await prepared(store);
  const many = Array.from({ length: 1_001 }, (_, index) => `l${index}`);
  const cases = [
    [{ id: "" }, "id", /expected letters/],
    [{ id: "a b" }, "id", /got "a b"/],
    [{ id: "n".repeat(65) }, "id", /at most 64 characters, got 65/],
    [{ id: "ft:base:strata:spam" }, "id", /expected "ft:<base>:strata:<suffix>:<id>"/],
    [{ id: `ft:base:strata:${"s".repeat(200)}:1` }, "id", /at most 200 characters, got 217/],
    [{ base: "other" }, "base", /there is no base model "other"/],
    [{ labels: ["x"] }, "labels", /expected 2 to 1000 labels, got 1/],
    [{ labels: many }, "labels", /got 1001/],
    [{ labels: ["x", "x"] }, "labels[1]", /"x" is there twice/],
    [{ labels: ["x", ""] }, "labels[1]", /empty/],
    [{ labels: ["x", " y"] }, "labels[1]", /white space/],
    [{ labels: ["x", "y".repeat(257)] }, "labels[1]", /257 characters, the limit is 256/],
  ] as const;
  for (const [change, field, message] of cases) {
    const creating = creator.create(operator, {
      id: "n",
      base: "base",
      labels: ["x", "y"],
      ...change,
    });
    await assert.rejects(creating, { code: "INVALID_ARGUMENT", field, message });
  }
  for (const id of ["a", "base"]) {
    const creating = creator.create(operator, { id, base: "base", labels: ["x", "y"] });
    await assert.rejects(creating, { code: "ALREADY_EXISTS", field: "id" });
  }
  for (const id of ["ft:base:strata:spam:abc123", "ft:base:strata::abc123"])
    assert.equal((await creator.create(operator, { id, base: "base", labels: ["x", "y"] })).id, id);
});

test("whichever store operation fails, everything named is whole", async () => {
  for (let failAt = 0; ; failAt++) {
    const inner = createMemoryStore();
    const setup = await prepared(inner);
    await setup.publish(operator, named("a"), weightsOf(1));
    const store = new FailingStore(inner, failAt);
    const creator = createCreator({ store, clock: systemClock, ids: systemIds });
    const steps = [
      () => creator.create(operator, { ...named("b"), base: "base", labels: ["x", "y"] }),
      () =>
        creator.create(operator, { ...named("f"), base: "base", labels: ["x", "y"] }, async () =>
          weightsOf(3),
        ),
      () => creator.publish(operator, named("b"), weightsOf(1)),
      () => creator.publish(operator, named("a"), weightsOf(2)),
      () => creator.derive(operator, { source: named("a"), ids: ["d", "e"], noise: 0.1, seed: 1 }),
      () => creator.serve(operator, named("a"), 1),
      () => creator.delete(operator, named("a")),
    ];
    let failureCount = 0;
    for (const step of steps) await step().catch(() => (failureCount += 1));
    await checkWhole(inner);
    const fitted = await inner.catalog.of(operator).models.get("f");
    assert.ok(fitted === undefined || fitted.servedVersion === 1);
    if (store.hasStruck) continue;
    assert.equal(failureCount, 0);
    assert.ok(failAt > 20, `only ${failAt} operations`);
    break;
  }
});

test("200 models of 150 KB are derived by a write each and one of all rows, durably", async () => {
  const folder = mkdtempSync(join(tmpdir(), "strata-derive-"));
  folders.push(folder);
  const inner = await openFileStore(folder);
  const setup = await prepared(inner);
  await setup.create(operator, { ...named("w"), base: "wide18750", labels: ["x", "y"] });
  await setup.publish(operator, named("w"), weightsOf(1, true, 37_500));
  const store = new FailingStore(inner, Infinity);
  const creator = createCreator({ store, clock: systemClock, ids: systemIds });
  const ids = Array.from({ length: 200 }, (_, index) => `d${index}`);
  await creator.derive(operator, { source: named("w"), ids, noise: 0.02, seed: 1 });
  // Whether a name is free is asked of models and of bases; the source is a model, a version and a
  // blob. The keeper asks of each blob whether a row names it by now.
  assert.deepEqual(Object.fromEntries(store.counts), {
    get: 2 * 200 + 3,
    put: 200,
    insertWithModels: 1,
    countBlobUses: 200,
  });
  assert.equal((await blobsOf(inner)).size, 201);
  await inner.close();
});
