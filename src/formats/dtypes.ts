/** The kinds of numbers that files hold, and their way to float32 and back. */
import { halfValues, writeHalves } from "../foundation/half.ts";

export type Dtype = keyof typeof dtypes;

/** Bytes of one number, and the values of many. */
export const dtypes = {
  F64: { bytes: 8, toFloat32: (b: ArrayBuffer) => new Float32Array(new Float64Array(b)) },
  F32: { bytes: 4, toFloat32: (b: ArrayBuffer) => new Float32Array(b) },
  F16: { bytes: 2, toFloat32: (b: ArrayBuffer) => fromHalves(new Uint16Array(b)) },
  BF16: { bytes: 2, toFloat32: (b: ArrayBuffer) => fromBrainFloats(new Uint16Array(b)) },
  I64: { bytes: 8, toFloat32: (b: ArrayBuffer) => fromBigInts(new BigInt64Array(b)) },
  U64: { bytes: 8, toFloat32: (b: ArrayBuffer) => fromBigInts(new BigUint64Array(b)) },
  I32: { bytes: 4, toFloat32: (b: ArrayBuffer) => new Float32Array(new Int32Array(b)) },
  U32: { bytes: 4, toFloat32: (b: ArrayBuffer) => new Float32Array(new Uint32Array(b)) },
  I16: { bytes: 2, toFloat32: (b: ArrayBuffer) => new Float32Array(new Int16Array(b)) },
  U16: { bytes: 2, toFloat32: (b: ArrayBuffer) => new Float32Array(new Uint16Array(b)) },
  I8: { bytes: 1, toFloat32: (b: ArrayBuffer) => new Float32Array(new Int8Array(b)) },
  U8: { bytes: 1, toFloat32: (b: ArrayBuffer) => new Float32Array(new Uint8Array(b)) },
  BOOL: { bytes: 1, toFloat32: (b: ArrayBuffer) => new Float32Array(new Uint8Array(b)) },
} as const;

export function isDtype(value: unknown): value is Dtype {
  return typeof value === "string" && Object.hasOwn(dtypes, value);
}

export function toHalves(values: Float32Array): Uint16Array {
  const halves = new Uint16Array(values.length);
  writeHalves(values, halves);
  return halves;
}

function fromHalves(values: Uint16Array): Float32Array<ArrayBuffer> {
  return Float32Array.from(values, (bits) => halfValues[bits] ?? 0);
}
function fromBigInts(values: BigInt64Array | BigUint64Array): Float32Array<ArrayBuffer> {
  const result = new Float32Array(values.length);
  for (let index = 0; index < result.length; index++) result[index] = Number(values[index]);
  return result;
}

/** A brain float is the upper half of a float32. */
function fromBrainFloats(values: Uint16Array): Float32Array<ArrayBuffer> {
  const bits = new Uint32Array(values.length);
  for (let index = 0; index < bits.length; index++) bits[index] = (values[index] ?? 0) << 16;
  return new Float32Array(bits.buffer);
}
