import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { demandOf, meanCvOf, totalRateOf } from "./demands.ts";
import { modelsFile } from "./exam-files.ts";
import type { Model } from "./model-file.ts";
import { parseTrace } from "./trace-file.ts";

const measured = modelsFile.profiles.small;
const models: Model[] = [
  { unit: { name: "a", ...measured }, load: { rate: 3, cv: 4 } },
  { unit: { name: "b", ...measured }, load: { rate: 1, cv: 1 } },
];
const unrated = models.map(({ unit }) => ({ unit }));
const options = { models, windowSeconds: 60, durationSeconds: undefined, seed: 0 };

function traced(text: string, dealing?: "stripe" | "blocks", ofModels: readonly Model[] = unrated) {
  const trace = { ...parseTrace(text, "t.csv"), what: "t.csv", dealing };
  return demandOf({ ...options, models: ofModels, trace });
}

describe("demandOf", () => {
  test("rates hold for as long as it takes to tell plans apart, or as long as asked", () => {
    const enough = demandOf(options);
    assert.equal(enough.history, undefined);
    assert.equal(enough.demand.windowSeconds, 2500);
    assert.equal(totalRateOf(enough.demand), 4);
    assert.equal(meanCvOf(enough.demand.loads.flat()), (3 * 4 + 1) / 4);
    assert.equal(demandOf({ ...options, durationSeconds: 7 }).demand.windowSeconds, 7);
  });

  test("a model needs a rate where there is no trace", () => {
    const error = { code: "INVALID_ARGUMENT", message: /for "a": expected a rate, or a trace/ };
    assert.throws(() => demandOf({ ...options, models: unrated }), error);
  });

  test("more requests than can be simulated are TOO_LARGE", () => {
    const asked = { ...options, durationSeconds: 1e9 };
    assert.throws(() => demandOf(asked), { code: "TOO_LARGE", message: /got about 4\.00e\+9/ });
  });

  test("a trace is kept as it is, and fitted by windows", () => {
    const { history, demand } = traced("seconds,model\n0,a\n1,b\n2,a\n70,b\n");
    assert.deepEqual([...(history?.seconds ?? [])], [0, 1, 2, 70]);
    assert.deepEqual([...(history?.units ?? [])], [0, 1, 0, 1]);
    assert.deepEqual(
      demand.loads.map((windows) => windows.map(({ rate }) => rate)),
      [
        [2 / 60, 0],
        [1 / 60, 1 / 60],
      ],
    );
  });

  test("a trace that asks for an unknown model is refused, with the way out", () => {
    const message = /"t.csv": line 3: there is no model "c"; .* --deal/;
    assert.throws(() => traced("seconds,model\n0,a\n1,c\n"), { code: "INVALID_ARGUMENT", message });
  });

  test("functions are dealt in turn or in blocks; silent ones are not", () => {
    const counts = "function,1,2\nf,1,0\ng,0,0\nh,0,2\ni,4,0\nj,0,8\n";
    const ratesOf = (how: "stripe" | "blocks"): number[][] =>
      traced(counts, how).demand.loads.map((windows) => windows.map(({ rate }) => 60 * rate));
    assert.deepEqual(ratesOf("stripe"), [
      [5, 0],
      [0, 10],
    ]);
    assert.deepEqual(ratesOf("blocks"), [
      [1, 2],
      [4, 8],
    ]);
  });

  test("counts do not tell burstiness: it is the model's", () => {
    const { demand } = traced("model,1,2\na,60,0\nb,60,60\n", undefined, models);
    assert.deepEqual(
      demand.loads.map((windows) => windows.map(({ cv }) => cv)),
      [
        [4, 4],
        [1, 1],
      ],
    );
  });

  test("requests without a model go to models by chance, as their rates have it", () => {
    const lines = Array.from({ length: 2000 }, (_, second) => String(second)).join("\n");
    const shareOfA = (ofModels: readonly Model[]): number => {
      const { history } = traced(`seconds\n${lines}\n`, undefined, ofModels);
      return (history?.units.filter((unit) => unit === 0).length ?? 0) / 2000;
    };
    assert.ok(Math.abs(shareOfA(models) - 0.75) < 0.04);
    assert.ok(Math.abs(shareOfA(unrated) - 0.5) < 0.04);
  });

  test("a trace of many empty windows is TOO_LARGE, with the way out", () => {
    const error = { code: "TOO_LARGE", message: /windows of all models, got 16666667 of 60 s/ };
    assert.throws(() => traced("seconds,model\n0,a\n1e9,b\n"), error);
  });

  test("arrivals at one moment have a burstiness that can be drawn from", () => {
    const burst = Array.from({ length: 50 }, () => "5,a").join("\n");
    const { demand } = traced(`seconds,model\n0,a\n${burst}\n59,b\n`);
    assert.ok(demand.loads.flat().every(({ rate, cv }) => rate >= 0 && cv >= 0 && cv <= 64));
  });
});
