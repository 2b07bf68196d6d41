/** Checks what a version remembers: bytes and back, its limits, and damage. */
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { distinctDigests } from "../datasets/content-digests.ts";
import { shortDigestCount } from "../foundation/digest.ts";
import { limits } from "../foundation/limits.ts";
import { Pace } from "../foundation/pace.ts";
import { decodeEvidence, encodeEvidence, hasSeen, rememberedOf } from "./evidence.ts";

const digest = fc.integer({ min: 0, max: shortDigestCount - 1 });
const label = fc.constantFrom("ham", "spam", "größe", 'a "b"', "日本");
const row = fc.record(
  {
    digest,
    ids: fc
      .array(fc.integer({ min: 0, max: 250_000 }), { maxLength: 9 })
      .map((ids) => Int32Array.from(ids)),
    expected: label,
    answer: label,
  },
  { noNullPrototype: true },
);
const marked = fc.tuple(row, fc.array(fc.nat(500), { maxLength: 5 })).map(([own, firsts]) => ({
  ...own,
  firsts: Int32Array.from(firsts),
}));

test("bytes give back what they were made of", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(digest),
      fc.oneof(fc.array(row), fc.array(marked)),
      async (digests, rows) => {
        const evidence = {
          seen: await distinctDigests(Float64Array.from(digests), new Pace()),
          rows,
        };
        const bytes = encodeEvidence(evidence);
        // A view into something larger, as a blob may be.
        const padded = new Uint8Array(bytes.length + 3);
        padded.set(bytes, 3);
        assert.deepEqual(decodeEvidence(padded.subarray(3)), evidence);
      },
    ),
  );
});

test("seen is what was trained on, and nothing else", async () => {
  const seen = await distinctDigests(Float64Array.of(5, 3, 9, 3), new Pace());
  assert.deepEqual([...seen], [3, 5, 9]);
  const found = [2, 3, 4, 5, 9, 10].filter((one) => hasSeen({ seen }, one));
  assert.deepEqual(found, [3, 5, 9]);
  assert.equal(hasSeen({ seen: new Float64Array() }, 0), false);
});

test("the contents of the lowest digests are remembered, within the limits", async () => {
  const count = limits.evidenceRowCountMax + 10;
  const digests = Float64Array.from({ length: count }, (_, index) => count - index);
  const short = Array.from({ length: count }, () => Int32Array.of(1));
  const chosen = await rememberedOf({ digests, ids: short }, new Pace());
  assert.equal(chosen.length, limits.evidenceRowCountMax);
  assert.deepEqual(chosen.slice(0, 2), [count - 1, count - 2]);
  const long = Array.from({ length: count }, () => new Int32Array(512));
  assert.equal(
    (await rememberedOf({ digests, ids: long }, new Pace())).length,
    Math.floor(limits.evidenceTokenCountMax / 512),
  );
});

test("damaged bytes are named so", () => {
  const bytes = encodeEvidence({
    seen: Float64Array.of(1, 2),
    rows: [{ digest: 1, ids: Int32Array.of(7), expected: "a", answer: "b" }],
  });
  const other = Uint8Array.from(bytes);
  other[10] = (other[10] ?? 0) ^ 0xff;
  for (const damaged of [bytes.subarray(0, -4), new Uint8Array(), new Uint8Array(100), other])
    assert.throws(() => decodeEvidence(damaged), {
      code: "CORRUPT",
      message: /^Cannot read what a version has seen: /,
    });
  // What the bytes say of themselves is checked as well: the form, the length, the names of rows.
  const changed = (from: string, to: string): Uint8Array =>
    Buffer.from(Buffer.from(bytes).toString("latin1").replace(from, to), "latin1");
  const cases: readonly (readonly [Uint8Array, RegExp])[] = [
    [changed("evidence-1", "evidence-9"), /expected form "strata-evidence-1", got ".*-9"/],
    [Buffer.concat([bytes, new Uint8Array(8)]), /expected \d+ bytes, got \d+/],
    [changed('["a","b"]', '["a"]    '), /row 0 has a name that its header lacks/],
  ];
  for (const [damaged, state] of cases)
    assert.throws(
      () => decodeEvidence(damaged),
      (error: Error & { readonly code?: string }) =>
        error.code === "CORRUPT" &&
        error.message.startsWith("Cannot read what a version has seen: ") &&
        state.test(error.message) &&
        error.cause === undefined,
    );
});
