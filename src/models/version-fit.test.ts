import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { exampleConfig as config } from "../entities/exam-base.ts";
import { plainVersion } from "../entities/exam-version.ts";
import type { AdapterSpecification, Version } from "../entities/virtual-model.ts";
import { faultOfFit } from "./version-fit.ts";
import { allLayers, formsIn, upperLayers } from "./adapters/adapters.ts";

const version: Version = {
  ...plainVersion("vplm-a", 1),
  kind: "trained",
  adapter: { kind: "bottleneck", rank: 8, layers: [3, 4, 5] },
  precision: "int8",
};
const dense = { config, form: "dense", adapters: formsIn(allLayers(config)) } as const;

describe("a version", () => {
  it("fits the base that it was fitted on, with an adapter or without, in either precision", () => {
    assert.equal(faultOfFit(version, dense), undefined);
    assert.equal(faultOfFit({ ...version, adapter: undefined }, dense), undefined);
    assert.equal(faultOfFit({ ...version, precision: "fp32" }, dense), undefined);
  });

  it("of another form or domain is a conflict that names both", () => {
    assert.deepEqual(faultOfFit({ ...version, form: "hierarchical" }, dense), {
      code: "CONFLICT",
      state: "it was fitted on the hierarchical form, and the base is open as dense",
    });
    assert.deepEqual(faultOfFit({ ...version, domain: "law" }, dense), {
      code: "CONFLICT",
      state: 'it reads the domain "law", which is not loaded',
    });
  });

  for (const [what, change, state] of [
    ["of no rank", { rank: 0 }, "its adapter's rank is 0, not one of 1 to 64"],
    ["of half a rank", { rank: 1.5 }, "its adapter's rank is 1.5, not one of 1 to 64"],
    ["of too high a rank", { rank: 65 }, "its adapter's rank is 65, not one of 1 to 64"],
    ["past the last layer", { layers: [5, 6] }, "its adapter acts in layers 5, 6, the base has 0"],
    ["in no layer", { layers: [] }, "its adapter acts in layers "],
    ["twice in a layer", { layers: [4, 4] }, "its adapter acts in layers 4, 4, "],
  ] as const)
    it(`with an adapter ${what} is corrupt`, () => {
      const changed: AdapterSpecification = { kind: "bottleneck", rank: 8, layers: [3], ...change };
      const fault = faultOfFit({ ...version, adapter: changed }, dense);
      assert.equal(fault?.code, "CORRUPT");
      assert.ok(fault.state.startsWith(state), fault.state);
    });

  it("with an adapter that the base's graphs do not compute is a conflict that names both", () => {
    const open = { ...dense, adapters: [{ kind: "bottleneck", layers: [3, 4, 5] }] } as const;
    assert.equal(faultOfFit(version, open), undefined);
    for (const [adapter, state] of [
      [{ kind: "lora", rank: 8, layers: [4] }, "its adapter acts in layers 4 as lora"],
      [{ kind: "bottleneck", rank: 8, layers: [0, 3] }, "its adapter acts in layers 0, 3 as bottl"],
    ] as const) {
      const fault = faultOfFit({ ...version, adapter }, open);
      assert.equal(fault?.code, "CONFLICT");
      assert.ok(fault.state.startsWith(state), fault.state);
      assert.match(fault.state, /, the base is open for bottleneck in 3, 4, 5$/);
    }
  });

  it("of the hierarchical form has its adapter in upper layers alone", () => {
    const adapters = formsIn(upperLayers(config));
    const open = { config, form: "hierarchical", adapters } as const;
    const all = { kind: "bottleneck", rank: 8, layers: [0, 1, 2, 3, 4, 5] } as const;
    const fitted = { ...version, form: "hierarchical" } as const;
    assert.equal(faultOfFit(fitted, open), undefined);
    assert.match(
      faultOfFit({ ...fitted, adapter: all }, open)?.state ?? "",
      /the base has 3 to 5$/,
    );
  });
});
