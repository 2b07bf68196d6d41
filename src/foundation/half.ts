/** Half-precision floats, IEEE 754-2019 binary16: 1 bit sign, 5 bits exponent, 10 bits fraction. */

/** The value of each of the 65,536 bit patterns. */
export const halfValues: Float32Array = Float32Array.from({ length: 0x1_0000 }, (_, bits) => {
  const sign = bits >= 0x8000 ? -1 : 1;
  const exponent = (bits >> 10) & 0x1f;
  const fraction = bits & 0x3ff;
  if (exponent === 0) return sign * fraction * 2 ** -24;
  if (exponent === 0x1f) return fraction === 0 ? sign * Infinity : NaN;
  return sign * (0x400 + fraction) * 2 ** (exponent - 25);
});

/** Bits of 2^16, past the largest half, and of 2^-14, the least one of full precision. */
const overflowBits = 0x4780_0000;
const normalBits = 0x3880_0000;
const infinityBits = 0x7f80_0000;

const sum = new Float32Array(1);
const sumBits = new Uint32Array(sum.buffer);

/** Rounds to the nearest half, ties to even; what is too large becomes infinite. */
export function writeHalves(values: Float32Array, halves: Uint16Array): void {
  const floats = new Uint32Array(values.buffer, values.byteOffset, values.length);
  for (let index = 0; index < floats.length; index++) {
    const bits = floats[index] ?? 0;
    halves[index] = ((bits >>> 16) & 0x8000) | magnitude(bits & 0x7fff_ffff);
  }
}

function magnitude(bits: number): number {
  if (bits > infinityBits) return 0x7e00;
  if (bits >= overflowBits) return 0x7c00;
  // Moves the exponent from bias 127 to 15; half a unit of what is cut off rounds, and carries.
  if (bits >= normalBits) return (bits - 0x3800_0000 + 0xfff + ((bits >>> 13) & 1)) >>> 13;
  // The last bit of floats just above 0.5 counts 2^-24, as a subnormal half's does.
  sumBits[0] = bits;
  sum[0] = (sum[0] ?? 0) + 0.5;
  return (sumBits[0] ?? 0) - 0x3f00_0000;
}
