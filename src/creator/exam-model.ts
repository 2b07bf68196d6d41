/** Models and weights that the creator's tests make. */
import { operator } from "../entities/caller.ts";
import { exampleBase } from "../entities/exam-base.ts";
import type { ModelIdentity, Version } from "../entities/virtual-model.ts";
import { systemClock } from "../foundation/clock.ts";
import { systemIds } from "../foundation/random.ts";
import type { Store } from "../storage/storage.ts";
import type { Creator, VersionWeights } from "./creator.ts";
import { createCreator } from "./store-creator.ts";

const base = exampleBase("base");

/** The model of this name whose incarnation the tests choose. */
export function named(id: string): ModelIdentity {
  return { id, incarnation: `vplm-${id}` };
}

export async function firstVersion(store: Store, id: string): Promise<Version | undefined> {
  const model = await store.catalog.of(operator).models.get(id);
  return model && store.catalog.of(operator).versions.get(model.incarnation, 1);
}

/** A head of ramps, which differ by `start`; `size` is twice the base's width. */
export function weightsOf(start: number, isServed = true, size = 8): VersionWeights {
  const values = Float32Array.from({ length: size }, (_, index) => start + index);
  return {
    kind: "trained",
    labels: ["x", "y"],
    tensors: new Map([
      ["head.weight", { shape: [2, size / 2], values }],
      ["head.bias", { shape: [2], values: new Float32Array(2) }],
    ]),
    task: "text-classification",
    adapter: undefined,
    form: "dense",
    domain: undefined,
    pooling: "mean",
    precision: "fp32",
    metrics: { devAccuracy: 0.5 },
    isServed,
  };
}

/** A creator with the model `a`, which has no version yet. */
export async function prepared(store: Store): Promise<Creator> {
  await store.catalog.bases.insert(base);
  for (const hiddenSize of [2_000, 18_750])
    await store.catalog.bases.insert({
      ...base,
      id: `wide${hiddenSize}`,
      config: { ...base.config, hiddenSize },
    });
  const creator = createCreator({ store, clock: systemClock, ids: systemIds });
  await creator.create(operator, { ...named("a"), base: "base", labels: ["x", "y"] });
  return creator;
}
