import assert from "node:assert/strict";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import type { Weight, Weights } from "../entities/weights.ts";
import type { StoredTensor } from "../formats/formats.ts";
import { decodeSafetensors, encodeSafetensors } from "../formats/safetensors.ts";
import { OrtRuntime } from "../runtime/ort/ort-runtime.ts";
import { type BaseWeights, loadBaseWeights } from "./base-weights.ts";
import type { Checkpoint } from "./checkpoints.ts";
import { openCheckpoint } from "./folder.ts";
import {
  encodeHierarchy,
  type HierarchicalBase,
  openHierarchy,
  readHierarchy,
} from "./hierarchy.ts";
import { tinyCheckpoint } from "./exam-tiny-checkpoint.ts";
import { tinyHierarchy, tinyUpper } from "./exam-tiny-hierarchy.ts";

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

function runOf(from?: string): string {
  return JSON.stringify({ digest: checkpoint.digest, from, config: { shallowLayerCount: 1 } });
}

type Tensors = Weights;

function encoded(tensors: Tensors, from?: string): Promise<Uint8Array> {
  const config = { ...checkpoint.config, shallowLayerCount: 1 };
  return encodeHierarchy(tensors, { config, run: runOf(from) }, runtime);
}

async function opened(tensors: Tensors, from?: string): Promise<HierarchicalBase> {
  const path = join(folder, "form.safetensors");
  await writeFile(path, await encoded(tensors, from));
  return openHierarchy(path, { checkpoint, weights }, runtime);
}

/** The same parts, every value another one. */
function varied(tensors: Tensors): Map<string, Weight> {
  let count = 0;
  return new Map(
    [...tensors].map(([name, { shape, values }]) => {
      return [name, { shape, values: values.map(() => Math.sin(7 * ++count)) }] as const;
    }),
  );
}

describe("a hierarchical form's file", () => {
  it("keeps linear layers as bytes with a scale per column, near to what they were", async () => {
    const name = "ngram.layer.0.inner.weight";
    const { values } = varied(tinyHierarchy()).get(name) ?? {};
    assert.ok(values);
    const file = decodeSafetensors(await encoded(varied(tinyHierarchy())));
    assert.equal(file.dtype(name), "I8");
    const [{ values: bytes }, { values: scales }] = [
      file.tensor(name),
      file.tensor(`${name}.scale`),
    ];
    const { weights: found } = await opened(varied(tinyHierarchy()));
    const floats = found.get(name);
    for (const [index, value] of values.entries()) {
      const step = scales[index % 6] ?? NaN;
      // Half a step by rounding to a byte, and 127 steps of a scale that was rounded to a half.
      assert.ok(Math.abs((bytes[index] ?? NaN) * step - value) < 0.57 * step, `value ${index}`);
      assert.equal(floats?.[index], Math.fround(step * (bytes[index] ?? NaN)), `weight ${index}`);
    }
    assert.equal(file.dtype("ngram.merge.position"), "F16");
  });

  it("gives the same bytes when it is written again", async () => {
    const form = varied(new Map([...tinyHierarchy(), ...tinyUpper()]));
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

  it("is read in floats as well", async () => {
    const form = varied(tinyHierarchy());
    const path = join(folder, "floats.safetensors");
    await writeFile(path, encodeSafetensors(form, { metadata: { run: runOf() } }));
    const { weights: found } = await openHierarchy(path, { checkpoint, weights }, runtime);
    for (const [name, { values }] of form) assert.deepEqual(found.get(name), values, name);
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

  it("is refused with a part that no graph reads, or lacking one", async () => {
    const refusal = (name: string) => ({ code: "CORRUPT", message: new RegExp(`"${name}"`) });
    const refuse = (tensors: ReadonlyMap<string, StoredTensor>, name: string): void => {
      const bytes = encodeSafetensors(tensors, { metadata: { run: runOf() } });
      assert.throws(() => readHierarchy(bytes, "f", checkpoint), refusal(name));
    };
    const word = { shape: [6, 4], values: new Float32Array(24) };
    refuse(tinyHierarchy().set("embeddings.word", word), "embeddings.word");
    const [, ...upper] = tinyUpper();
    refuse(new Map([...tinyHierarchy(), ...upper]), "layer.1.attention.norm.gain");
    const linear = "ngram.layer.0.query.weight";
    const bytes = { shape: [4, 4], values: new Int8Array(16) };
    const scale = { shape: [4], values: new Float32Array(4) };
    const form = (...parts: readonly [string, StoredTensor][]) =>
      new Map<string, StoredTensor>([...tinyHierarchy(), ...parts]);
    refuse(form([linear, bytes]), `${linear}.scale`);
    refuse(form([`${linear}.scale`, scale]), `${linear}.scale`);
    refuse(form(["ngram.gate.bias.scale", scale]), "ngram.gate.bias.scale");
  });
});
