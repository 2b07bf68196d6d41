import assert from "node:assert/strict";
import { AssertionError } from "node:assert";
import { test } from "node:test";
import type { CachedBase, PulledBase } from "../sources/base-cache.ts";
import { operator } from "../entities/caller.ts";
import { exampleBase } from "../entities/exam-base.ts";
import { digestOf } from "../foundation/digest.ts";
import { StrataError } from "../foundation/errors.ts";
import { silentTelemetry } from "../foundation/telemetry.ts";
import { exampleModel } from "../storage/conformance.ts";
import { createMemoryStore } from "../storage/memory/memory-store.ts";
import type { Bases } from "./bases.ts";
import { createBases } from "./store-bases.ts";

function pulledBase(id: string, content = id): PulledBase {
  const [digest, source] = [digestOf(content), `dir:${content}`];
  return { ...exampleBase(id), digest, source, folder: `/cache/${id}`, files: {} };
}

function whole(base: PulledBase): CachedBase {
  return { kind: "whole", id: base.id, base };
}

const log = silentTelemetry.log;
const load = async ({ id }: PulledBase): Promise<string> => `loaded ${id}`;

async function opened(): Promise<{ store: ReturnType<typeof createMemoryStore>; bases: Bases }> {
  const store = createMemoryStore();
  return { store, bases: createBases({ store, log }) };
}

test("a base is entered into the catalog once it is loaded, without where it lies", async () => {
  const { store, bases } = await opened();
  const { folder: _, files: __, ...row } = pulledBase("a");
  const seen = await bases.admit(whole(pulledBase("a")), async () => store.catalog.bases.get("a"));
  assert.equal(seen, undefined);
  assert.deepEqual(await store.catalog.bases.get("a"), row);
  bases.requireAny();
});

test("a base that cannot be loaded is refused by its reason, and is no row", async () => {
  const { store, bases } = await opened();
  const fault = new StrataError("CORRUPT", "Cannot read vocab.txt: it is gone");
  assert.equal(await bases.admit(whole(pulledBase("a")), () => Promise.reject(fault)), undefined);
  assert.equal(await bases.admit({ kind: "damaged", id: "b", fault }, load), undefined);
  assert.equal(await store.catalog.bases.count(), 0);
  assert.equal(bases.whyRefused("a"), fault.message);
  assert.throws(() => bases.requireAny(), { code: "CORRUPT", message: /no base model can be/ });
  assert.equal(await bases.admit(whole(pulledBase("c")), load), "loaded c");
  bases.requireAny();
  assert.match(bases.whyRefused("z"), /"z" is not loaded on this server/);
});

test("a bug of ours is no base's fault", async () => {
  const { bases } = await opened();
  const bug = new AssertionError({ message: "ours" });
  await assert.rejects(
    bases.admit(whole(pulledBase("a")), () => Promise.reject(bug)),
    bug,
  );
});

test("without a base the error says how to get one", async () => {
  const { bases } = await opened();
  assert.throws(() => bases.requireAny(), { code: "CONFLICT", message: /strata base pull/ });
});

test("a model's name is not taken, and a row that has it is taken away", async () => {
  const { store, bases } = await opened();
  await store.catalog.of(operator).models.insert(exampleModel("a"));
  const { folder: _, files: __, ...row } = pulledBase("a");
  await store.catalog.bases.insert(row);
  assert.equal(await bases.admit(whole(pulledBase("a")), load), undefined);
  assert.match(bases.whyRefused("a"), /there is a model of this name/);
  assert.equal(await store.catalog.bases.get("a"), undefined);
});

test("other bytes of a name are taken only while no model stands on the first", async () => {
  const { store, bases } = await opened();
  assert.equal(await bases.admit(whole(pulledBase("base", "one")), load), "loaded base");
  // At the next start, the cache holds others.
  const second = createBases({ store, log });
  assert.equal(await second.admit(whole(pulledBase("base", "two")), load), "loaded base");
  assert.equal((await store.catalog.bases.get("base"))?.digest, digestOf("two"));
  await store.catalog.of(operator).models.insert(exampleModel("m"));
  const third = createBases({ store, log });
  assert.equal(await third.admit(whole(pulledBase("base", "one")), load), undefined);
  assert.match(third.whyRefused("base"), /from dir:one, but model "m" was made for sha256:/);
  assert.equal((await store.catalog.bases.get("base"))?.digest, digestOf("two"));
});

test("what the catalog knows and the cache lacks is refused by name, and stays known", async () => {
  const { store, bases } = await opened();
  const { folder: _, files: __, ...row } = pulledBase("gone");
  await store.catalog.bases.insert(row);
  await bases.admit(whole(pulledBase("here")), load);
  await bases.refuseAbsent();
  assert.match(bases.whyRefused("gone"), /the cache does not hold it; it came from dir:gone/);
  assert.equal(await store.catalog.bases.count(), 2);
});
