import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { halfValues, writeHalves } from "./half.ts";

function halfOf(value: number): number {
  const half = new Uint16Array(1);
  writeHalves(Float32Array.of(value), half);
  return half[0] ?? 0;
}

test("known patterns stand for known values", () => {
  const known: readonly (readonly [number, number])[] = [
    [0x0000, 0],
    [0x3c00, 1],
    [0xc000, -2],
    [0x7bff, 65504],
    [0x0400, 2 ** -14],
    [0x0001, 2 ** -24],
    [0x3555, 0.333251953125],
    [0x7c00, Infinity],
    [0xfc00, -Infinity],
  ];
  for (const [bits, value] of known) {
    assert.equal(halfValues[bits], value);
    assert.equal(halfOf(value), bits);
  }
  assert.ok(Number.isNaN(halfValues[halfOf(NaN)]));
});

test("every half is written as itself", () => {
  const bits = Uint16Array.from({ length: 0x1_0000 }, (_, index) => index);
  const written = new Uint16Array(bits.length);
  writeHalves(halfValues, written);
  // All NaNs become one.
  for (const [index, half] of written.entries())
    if (!Number.isNaN(halfValues[index])) assert.equal(half, index);
});

test("ties go to the even half, and what is too large becomes infinite", () => {
  assert.equal(halfOf(1 + 2 ** -11), 0x3c00);
  assert.equal(halfOf(1 + 3 * 2 ** -11), 0x3c02);
  assert.equal(halfOf(2 ** -25), 0);
  assert.equal(halfOf(3 * 2 ** -25), 2);
  assert.equal(halfOf(2 ** -14 - 2 ** -25), 0x0400);
  assert.equal(halfOf(65519), 0x7bff);
  assert.equal(halfOf(-65520), 0xfc00);
  assert.equal(halfOf(1e30), 0x7c00);
});

test("no other half is nearer than the written one", () => {
  const value = fc.oneof(
    fc.float({ min: -65504, max: 65504, noNaN: true }),
    fc.float({ min: -1, max: 1, noNaN: true }),
    fc.float({ min: Math.fround(-1e-4), max: Math.fround(1e-4), noNaN: true }),
  );
  fc.assert(
    fc.property(value, (x) => {
      const bits = halfOf(x);
      const distance = Math.abs((halfValues[bits] ?? NaN) - x);
      for (const other of [bits - 1, bits + 1])
        assert.ok(!(Math.abs((halfValues[other & 0xffff] ?? NaN) - x) < distance));
    }),
    { numRuns: 2000 },
  );
});
