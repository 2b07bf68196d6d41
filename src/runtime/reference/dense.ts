/**
 * Dense arrays of the reference runtime. Every data type is held as float64, which is exact for
 * integers below 2^53. Elements are addressed by `offsets`: broadcasting, transposing, slicing and
 * grouping are all a matter of strides.
 */
import { elementCount } from "../../foundation/element-count.ts";
import type { DataType, TypedValues } from "../../tensor/tensor.ts";
import type { Value } from "../runtime.ts";

export interface Dense {
  readonly type: DataType;
  readonly shape: readonly number[];
  /** Row-major. */
  readonly values: Float64Array;
}

/** The sum of index · stride for each index of `shape`, in row-major order. */
export function offsets(shape: readonly number[], strides: readonly number[]): readonly number[] {
  let found = [0];
  for (const [axis, size] of shape.entries()) {
    const longer: number[] = [];
    for (const offset of found)
      for (let index = 0; index < size; index++) longer.push(offset + index * (strides[axis] ?? 0));
    found = longer;
  }
  return found;
}

/** Row-major strides. */
export function stridesOf(shape: readonly number[]): readonly number[] {
  return shape.map((_, axis) => countOf(shape.slice(axis + 1)));
}

/** The strides that read an array of shape `from` as one of shape `to`, by NumPy's rules. */
export function broadcastStrides(
  from: readonly number[],
  to: readonly number[],
): readonly number[] {
  const strides = stridesOf(from).map((stride, axis) => (from[axis] === 1 ? 0 : stride));
  return [...Array<number>(to.length - from.length).fill(0), ...strides];
}

/** The elements at `start` + index. */
export function pick(values: Float64Array, indices: readonly number[], start = 0): Float64Array {
  const result = new Float64Array(indices.length);
  for (let place = 0; place < indices.length; place++)
    result[place] = values[start + (indices[place] ?? Number.NaN)] ?? Number.NaN;
  return result;
}

export function broadcastValues({ shape, values }: Dense, to: readonly number[]): Float64Array {
  const isAlike = shape.length === to.length && shape.every((size, axis) => size === to[axis]);
  return isAlike ? values : pick(values, offsets(to, broadcastStrides(shape, to)));
}

/** The elements along `axes`, for each index along the axes that are not among them. */
export function groups({ shape, values }: Dense, axes: readonly number[]): readonly Float64Array[] {
  const strides = stridesOf(shape);
  const along = (chosen: readonly number[]): readonly number[] =>
    offsets(
      chosen.map((axis) => shape[axis] ?? 0),
      chosen.map((axis) => strides[axis] ?? 0),
    );
  const members = along(axes);
  const kept = range(shape.length).filter((axis) => !axes.includes(axis));
  return along(kept).map((start) => pick(values, members, start));
}

export function countOf(shape: readonly number[]): number {
  return elementCount(shape);
}

export function range(count: number): readonly number[] {
  return Array.from({ length: count }, (_, index) => index);
}

export function toDense(type: DataType, shape: readonly number[], values: TypedValues): Dense {
  if (values instanceof BigInt64Array)
    return { type, shape, values: Float64Array.from(Array.from(values, Number)) };
  return { type, shape, values: Float64Array.from(values) };
}

/** Rounded to the data type. */
export function toValue({ type, shape, values }: Dense): Value {
  return { kind: "value", type, shape, values: narrow(type, values) };
}

function narrow(type: DataType, values: Float64Array): TypedValues {
  switch (type) {
    case "float32":
      return Float32Array.from(values);
    case "int64":
      return BigInt64Array.from(Array.from(values, BigInt));
    case "int32":
      return Int32Array.from(values);
    case "int8":
      return Int8Array.from(values);
    case "bool":
    case "uint8":
      return Uint8Array.from(values);
  }
}
