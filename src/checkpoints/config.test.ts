import assert from "node:assert/strict";
import { test } from "node:test";
import { bert } from "../models/families/bert.ts";
import { parseSizes } from "./config.ts";

/** Names as in DistilBERT, whose epsilon stands in no file, and which has no segments. */
const layout = {
  ...bert.checkpoint,
  unusedPositionCount: 1,
  sizes: {
    hiddenSize: "dim",
    layerCount: "n_layers",
    headCount: "n_heads",
    intermediateSize: "hidden_dim",
    vocabularySize: "vocab_size",
    positionCount: "places",
    layerNormEpsilon: 1e-12,
    segmentCount: 0,
  },
};
const fields = { dim: 12, n_layers: 5, n_heads: 3, hidden_dim: 48, vocab_size: 99, places: 33 };
const sizesOf = (change: object) => parseSizes(JSON.stringify({ ...fields, ...change }), layout);

test("a family names its fields, and what stands in none", () => {
  assert.deepEqual(sizesOf({}), {
    hiddenSize: 12,
    layerCount: 5,
    shallowLayerCount: 2,
    headCount: 3,
    intermediateSize: 48,
    vocabularySize: 99,
    positionCount: 32,
    layerNormEpsilon: 1e-12,
    segmentCount: 0,
  });
});

test("what is wrong is told by the names of the file", () => {
  const faults: readonly [object, RegExp][] = [
    [{ n_layers: 1 }, /^Cannot read config\.json n_layers: /],
    [{ dim: undefined }, /^Cannot read config\.json dim: /],
    [{ dim: 13 }, /: dim 13 is no multiple of n_heads 3$/],
    [{ places: 1 }, /: places 1 leaves no place$/],
  ];
  for (const [change, message] of faults)
    assert.throws(() => sizesOf(change), { code: "INVALID_ARGUMENT", message });
});
