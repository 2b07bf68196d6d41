import assert from "node:assert/strict";
import { test } from "node:test";
import {
  adapterWords,
  damageWords,
  figureWords,
  servingWords,
  verdictWords,
} from "./version-words.ts";

test("a figure tells what is known of it, and a missing one why it is missing", () => {
  const figure = { name: "accuracy", value: 0.8333, low: 0.72, high: 0.91, count: 60 };
  assert.equal(figureWords({ figure, kind: "trained" }), "accuracy 83.3 % on 60 texts");
  const old = { name: "F1", value: 1, low: null, high: null, count: null };
  assert.equal(figureWords({ figure: old, kind: "instant" }), "F1 100.0 %");
  assert.equal(figureWords({ figure: null, kind: "instant" }), "too few texts");
  assert.equal(figureWords({ figure: null, kind: "derived" }), "not judged: a copy with noise");
});

test("an adapter tells its kind, its rank and its layers", () => {
  assert.equal(adapterWords({ adapter: null }), "none, a head only");
  const adapter = { kind: "lora", rank: 8, layers: [3, 4, 5] } as const;
  assert.equal(
    adapterWords({ adapter: { ...adapter, layers: [...adapter.layers] } }),
    "lora, rank 8, in layers 3 to 5",
  );
});

test("a version serves, or serves by alias where verdicts would have had another one", () => {
  const row = (version: number, outcome: "served" | "not_served" | null, isServed = false) => ({
    version,
    outcome,
    is_served: isServed,
  });
  const lost = row(2, "not_served", true);
  assert.equal(servingWords(lost, [row(1, "served"), lost]), "serves by alias");
  const first = row(1, "served", true);
  assert.equal(servingWords(first, [first, row(2, "served")]), "serves by alias");
  assert.equal(servingWords(first, [first, row(2, "not_served")]), "served");
  const unknown = row(1, null, true);
  assert.equal(servingWords(unknown, [unknown]), "served");
  assert.equal(servingWords(row(1, "served"), []), "");
});

test("what is damaged is told with the fault that was found", () => {
  assert.equal(damageWords({ fault: null }), "");
  assert.equal(damageWords({ fault: "Cannot read it" }), "damaged: Cannot read it");
});

test("a verdict is dated", () => {
  const verdict = "Served: the first version";
  assert.equal(verdictWords({ verdict }), "when published: Served: the first version");
  assert.equal(verdictWords({ verdict: null }), "");
});
