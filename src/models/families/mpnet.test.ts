import assert from "node:assert/strict";
import { test } from "node:test";
import { bucketOf } from "./mpnet.ts";

/** The nearest distance of each bucket, as transformers 5.24.0 computes them in float32. */
const nearest = [0, 1, 2, 3, 4, 5, 6, 7, 8, 12, 16, 23, 32, 46, 64, 91];

test("distances fall into the buckets of the original implementation", () => {
  for (let distance = -600; distance <= 600; distance++) {
    const among = nearest.findLastIndex((start) => start <= Math.abs(distance));
    assert.equal(bucketOf(distance), distance > 0 ? 16 + among : among, `distance ${distance}`);
  }
});
