import assert from "node:assert/strict";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { OrtRuntime } from "../runtime/ort/ort-runtime.ts";
import { type BaseWeights, loadBaseWeights } from "./base-weights.ts";
import type { Checkpoint, CheckpointTensor } from "./checkpoints.ts";
import { openCheckpoint } from "./folder.ts";
import { encodeHierarchy, openHierarchy, readHierarchy } from "./hierarchy.ts";
import { tinyCheckpoint } from "./tiny-checkpoint.ts";
import { tinyHierarchy, tinyUpper } from "./tiny-hierarchy.ts";

const runtime = new OrtRuntime({ threadCount: 1, spinUs: 0 });
let folder = "";
let checkpoint: Checkpoint;
let weights: BaseWeights;

before(async () => {
  folder = await mkdtemp(join(tmpdir(), "strata-hierarchy-"));
  for (const [path, body] of Object.entries(tinyCheckpoint()))
    await writeFile(join(folder, path), body);
  checkpoint = await openCheckpoint(folder);
  weights = await loadBaseWeights(checkpoint, runtime);
});
after(async () => {
  await runtime.close();
  await rm(folder, { recursive: true });
});

function encoded(tensors: ReadonlyMap<string, CheckpointTensor>): Promise<Uint8Array> {
  const run = { digest: checkpoint.digest, config: { shallowLayerCount: 1 } };
  return encodeHierarchy(tensors, JSON.stringify(run), runtime);
}

async function opened(tensors: ReadonlyMap<string, CheckpointTensor>) {
  const path = join(folder, "form.safetensors");
  await writeFile(path, await encoded(tensors));
  return openHierarchy(path, { checkpoint, weights }, runtime);
}

describe("a hierarchical form's file", () => {
  it("keeps linear layers as bytes, at most half a step from what they were", async () => {
    const form = tinyHierarchy();
    const values = Float32Array.from({ length: 24 }, (_, index) => Math.sin(7 * index));
    form.set("ngram.layer.0.inner.weight", { shape: [4, 6], values });
    const { weights: found } = await opened(form);
    const [floats, bytes] = ["weight", "int8.values"].map((part) =>
      found.get(`ngram.layer.0.inner.${part}`),
    );
    assert.ok(floats instanceof Float32Array && bytes instanceof Int8Array);
    for (const [index, value] of values.entries()) {
      const column = values.filter((_, at) => at % 6 === index % 6);
      const step = Math.max(...column.map(Math.abs)) / 127;
      assert.equal(bytes[index], Math.round(value / step), `byte ${index}`);
      assert.ok(Math.abs((floats[index] ?? NaN) - value) <= 0.501 * step, `value ${index}`);
    }
  });

  it("gives the same bytes when it is written again", async () => {
    const form = new Map([...tinyHierarchy(), ...tinyUpper()]);
    const first = await encoded(form);
    const { weights: found } = await opened(form);
    const again = new Map(
      [...form].map(([name, { shape }]) => {
        const values = found.get(name);
        assert.ok(values instanceof Float32Array);
        return [name, { shape, values }] as const;
      }),
    );
    assert.deepEqual(await encoded(again), first);
  });

  it("brings upper layers of its own, or leaves the base's", async () => {
    const plain = await opened(tinyHierarchy());
    assert.equal(plain.ownsUpper, false);
    const own = await opened(new Map([...tinyHierarchy(), ...tinyUpper()]));
    assert.equal(own.ownsUpper, true);
    for (const name of ["layer.1.query.weight", "layer.2.outer.int8.scale", "layer.1.key.bias"]) {
      assert.deepEqual(plain.weights.get(name), weights.get(name), name);
      assert.notDeepEqual(own.weights.get(name), weights.get(name), name);
    }
    for (const name of ["layer.0.query.weight", "embeddings.word"])
      assert.deepEqual(own.weights.get(name), weights.get(name), name);
  });

  it("is refused with a part that no graph reads, or half of the upper layers", async () => {
    const refusal = (name: string) => ({ code: "CORRUPT", message: new RegExp(name) });
    const word = { shape: [6, 4], values: new Float32Array(24) };
    const foreign = await encoded(tinyHierarchy().set("embeddings.word", word));
    assert.throws(() => readHierarchy(foreign, "f", checkpoint), refusal("embeddings.word"));
    const [, ...upper] = tinyUpper();
    const half = await encoded(new Map([...tinyHierarchy(), ...upper]));
    assert.throws(() => readHierarchy(half, "f", checkpoint), refusal("layer.1"));
  });
});
