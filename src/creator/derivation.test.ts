/** Checks the limit of what is derived at once. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { operator } from "../entities/caller.ts";
import { decodeWeights } from "../formats/safetensors.ts";
import type { Digest } from "../foundation/digest.ts";
import { createMemoryStore } from "../storage/memory/memory-store.ts";
import type { VersionWeights } from "./creator.ts";
import { named, prepared, weightsOf } from "./exam-model.ts";

test("as many models of long labels are derived at once as the limit says", async () => {
  const creator = await prepared(createMemoryStore());
  const labels = Array.from({ length: 1_000 }, (_, index) => `${index}-`.padEnd(256, "y"));
  const head = { shape: [1_000, 4], values: new Float32Array(4_000).fill(1) };
  const bias = { shape: [1_000], values: new Float32Array(1_000) };
  const tensors = new Map([
    ["head.weight", head],
    ["head.bias", bias],
  ]);
  const fit = async (): Promise<VersionWeights> => ({ ...weightsOf(1), labels, tensors });
  const source = await creator.create(operator, { id: "long", base: "base" }, fit);
  const derive = (count: number): Promise<unknown> => {
    const ids = Array.from({ length: count }, (_, index) => `d${count}-${index}`);
    return creator.derive(operator, { source, ids, noise: 0.1, seed: 1 });
  };
  // 256 characters, two quotes and a comma each: 259,001 bytes.
  await derive(12);
  await assert.rejects(derive(13), {
    code: "INVALID_ARGUMENT",
    field: "ids",
    message:
      "Cannot derive model: ids: the labels of 13 models take 3367013 bytes, the limit is " +
      "3145728; derive at most 12 at once",
  });
});

test("copies are of the version that is served by then, when the first is deleted", async (t) => {
  const store = createMemoryStore();
  const creator = await prepared(store);
  const first = await creator.publish(operator, named("a"), weightsOf(1));
  await creator.publish(operator, named("a"), weightsOf(5, false));
  const get = store.blobs.get.bind(store.blobs);
  t.mock.method(store.blobs, "get", async (digest: Digest) => {
    if (digest === first.blob) {
      await creator.serve(operator, named("a"), 2);
      await creator.deleteVersion(operator, named("a"), 1);
    }
    return get(digest);
  });
  const [copy] = await creator.derive(operator, {
    ...{ source: named("a"), ids: ["copy"] },
    ...{ noise: 0.01, seed: 1 },
  });
  const { versions } = store.catalog.of(operator);
  assert.ok(copy !== undefined);
  const made = await versions.get(copy.incarnation, 1);
  const tensors = decodeWeights(await get(made?.blob ?? first.blob));
  const [start = 0] = tensors.get("head.weight")?.values ?? [];
  // The weights of the second version begin with 5, those of the first with 1.
  assert.ok(Math.abs(start - 5) < 1, String(start));
});
