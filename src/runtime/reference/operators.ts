/**
 * What each operator of the graph language computes, in float64: one table, written for clarity
 * and not for speed, as the yardstick of every other runtime.
 */
import { StrataError } from "../../foundation/errors.ts";
import { evaluate } from "../../tensor/dimension.ts";
import { axesOf, sizesOf } from "../../tensor/operators/shape.ts";
import { type Attributes, first, pair, triple } from "../../tensor/tensor.ts";
import {
  broadcastStrides,
  broadcastValues,
  countOf,
  type Dense,
  groups,
  offsets,
  pick,
  range,
  stridesOf,
} from "./dense.ts";
import { erf } from "./erf.ts";

export interface Site {
  readonly attributes: Attributes;
  /** The shape of the first output. */
  readonly shape: readonly number[];
  readonly symbols: ReadonlyMap<string, number>;
}

/** The values of the outputs, in their order. */
export type Evaluate = (inputs: readonly Dense[], site: Site) => readonly Float64Array[];

export const operators: Readonly<Record<string, Evaluate>> = {
  neg: unary((x) => -x),
  exp: unary(Math.exp),
  sqrt: unary(Math.sqrt),
  sigmoid: unary((x) => 1 / (1 + Math.exp(-x))),
  round: unary(roundHalfToEven),
  gelu(inputs) {
    const { values } = first(inputs);
    const cumulative = (x: number): number => (1 + erf(x / Math.SQRT2)) / 2;
    const density = (x: number): number => Math.exp((-x * x) / 2) / Math.sqrt(2 * Math.PI);
    return [
      values.map((x) => x * cumulative(x)),
      values.map((x) => cumulative(x) + x * density(x)),
    ];
  },

  add: binary((a, b) => a + b),
  sub: binary((a, b) => a - b),
  mul: binary((a, b) => a * b),
  div: (inputs, site) => {
    const quotients = binary((a, b) => a / b)(inputs, site);
    return first(inputs).type === "float32" ? quotients : quotients.map((q) => q.map(Math.trunc));
  },
  max: binary(Math.max),
  min: binary(Math.min),
  equal: binary((a, b) => Number(a === b)),
  greater: binary((a, b) => Number(a > b)),
  less: binary((a, b) => Number(a < b)),

  where(inputs, { shape }) {
    const alike = inputs.map((x) => broadcastValues(x, shape));
    const [condition, a, b] = triple("where", alike);
    return [condition.map((holds, index) => (holds === 0 ? b : a)[index] ?? Number.NaN)];
  },
  cast(inputs, { attributes }) {
    const { values } = first(inputs);
    if (attributes["to"] === "bool") return [values.map((x) => Number(x !== 0))];
    return [attributes["to"] === "float32" ? values : values.map(Math.trunc)];
  },

  reshape: (inputs) => [first(inputs).values],
  broadcastTo: (inputs, { shape }) => [broadcastValues(first(inputs), shape)],
  transpose(inputs, { attributes, shape }) {
    const { values, shape: from } = first(inputs);
    const strides = stridesOf(from);
    const moved = axesOf(attributes).map((axis) => strides[axis] ?? 0);
    return [pick(values, offsets(shape, moved))];
  },
  slice(inputs, { attributes, shape }) {
    const { values, shape: from } = first(inputs);
    const axis = Number(attributes["axis"]);
    const end = Number(attributes["end"]);
    checkIndex("slice", end, (from[axis] ?? 0) + 1);
    const strides = stridesOf(from);
    const start = Number(attributes["start"]) * (strides[axis] ?? 0);
    return [pick(values, offsets(shape, strides), start)];
  },
  concat(inputs, { attributes, shape }) {
    const axis = Number(attributes["axis"]);
    const result = new Float64Array(countOf(shape));
    const strides = stridesOf(shape);
    let start = 0;
    for (const { values, shape: from } of inputs) {
      const targets = offsets(from, strides);
      values.forEach((x, index) => (result[start + (targets[index] ?? -1)] = x));
      start += (from[axis] ?? 0) * (strides[axis] ?? 0);
    }
    return [result];
  },
  split(inputs, { attributes, symbols }) {
    const { values, shape: from } = first(inputs);
    const axis = Number(attributes["axis"]);
    const strides = stridesOf(from);
    let start = 0;
    return sizesOf(attributes).map((dimension) => {
      const size = evaluate(dimension, symbols);
      start += size;
      const first = (start - size) * (strides[axis] ?? 0);
      return pick(values, offsets(from.with(axis, size), strides), first);
    });
  },
  gather(inputs) {
    const [table, indices] = pair("gather", inputs);
    const rows = groups(table, range(table.shape.length).slice(1));
    const chosen = Array.from(indices.values, (index) => {
      checkIndex("gather", index, rows.length);
      return rows[index] ?? new Float64Array();
    });
    return [join(chosen)];
  },
  scatterAdd(inputs) {
    const [table, indices, updates] = triple("scatterAdd", inputs);
    const width = countOf(table.shape.slice(1));
    const result = Float64Array.from(table.values);
    updates.values.forEach((x, index) => {
      const row = indices.values[Math.floor(index / width)] ?? -1;
      checkIndex("scatterAdd", row, table.shape[0] ?? 0);
      accumulate(result, row * width + (index % width), x);
    });
    return [result];
  },
  size: (_, { attributes, symbols }) => {
    const [dimension] = attributes["shape"] as readonly [string]; // set by `sizeOf`
    return [Float64Array.of(evaluate(dimension, symbols))];
  },
  positions: (_, { shape }) => [Float64Array.from(range(countOf(shape)))],

  reduceSum: reduction(sum),
  reduceSumSquare: reduction((x) => sum(x.map((e) => e * e))),
  reduceMean: reduction((x) => sum(x) / x.length),
  reduceMax: reduction((x) => Math.max(...x)),
  softmax: rowwise(softmax),
  logSoftmax: rowwise((row) => {
    const highest = Math.max(...row);
    const shifted = row.map((x) => x - highest);
    const logarithm = Math.log(sum(shifted.map(Math.exp)));
    return shifted.map((x) => x - logarithm);
  }),
  layerNorm(inputs, { attributes }) {
    const [x, gain, bias] = triple("layerNorm", inputs);
    const rows = groups(x, [x.shape.length - 1]);
    const means = Float64Array.from(rows, (row) => sum(row) / row.length);
    const inverses = Float64Array.from(rows, (row, index) => {
      const variance = sum(row.map((e) => (e - (means[index] ?? 0)) ** 2)) / row.length;
      return 1 / Math.sqrt(variance + Number(attributes["epsilon"]));
    });
    const scaled = rows.map((row, index) =>
      row.map((e, column) => {
        const normal = (e - (means[index] ?? 0)) * (inverses[index] ?? 0);
        return normal * (gain.values[column] ?? 0) + (bias.values[column] ?? 0);
      }),
    );
    return [join(scaled), means, inverses];
  },

  matmul(inputs, { attributes, shape }) {
    const [a, b] = pair("matmul", inputs);
    const batch = shape.slice(0, -2);
    const rows = vectors(a, batch, attributes["transposeA"] === true);
    const columns = vectors(b, batch, attributes["transposeB"] !== true);
    const alpha = Number(attributes["alpha"]);
    return [join(rows.map((list, index) => products(list, columns[index] ?? [], alpha)))];
  },
  linear(inputs) {
    const [x, weight, bias] = triple("linear", inputs);
    const product = products(groups(x, [1]), groups(weight, [0]));
    return [product.map((y, index) => y + (bias.values[index % bias.values.length] ?? 0))];
  },
  quantizedMatmul(inputs, { attributes }) {
    const [x, weight, scale] = triple("quantizedMatmul", inputs);
    const columns = groups(weight, [0]);
    const kept = attributes["keepsRows"] === true ? pair("kept", inputs.slice(4)) : undefined;
    const results = groups(x, [1]).map((row) => {
      const lowest = Math.min(...row, 0);
      const step = Math.max((Math.max(...row, 0) - lowest) / 255, 1e-9);
      const zero = roundHalfToEven(-lowest / step);
      const quantized = row.map((e) => {
        const q = roundHalfToEven(e / step) + zero;
        return Math.min(Math.max(q, 0), 255) - zero;
      });
      const product = products([quantized], columns);
      const scaled = zip(product, scale.values, (y, factor) => y * step * factor);
      return kept === undefined ? scaled : zip(scaled, keptProduct(row, kept), (y, e) => y + e);
    });
    const bias = inputs[3]?.values ?? [];
    return [join(results).map((y, index) => y + (bias[index % bias.length] ?? 0))];
  },
  attention,
};

/** Softmax over the keys below each length; a query without keys gets zeros. Also the weights. */
function attention(inputs: readonly Dense[], { attributes }: Site): readonly Float64Array[] {
  const [query, key, value] = triple("attention", inputs);
  const lengths = inputs[3]?.values ?? [];
  const [batch = 0, rowCount = 0, hidden = 0] = query.shape;
  const keyCount = key.shape[1] ?? 0;
  const headCount = Number(attributes["headCount"]);
  const width = hidden / headCount;
  const result = new Float64Array(query.values.length);
  const weights = new Float64Array(batch * headCount * rowCount * keyCount);
  for (const sequence of range(batch))
    for (const head of range(headCount)) {
      const startOf = ({ shape }: Dense, row: number): number =>
        (sequence * (shape[1] ?? 0) + row) * hidden + head * width;
      const part = (x: Dense, row: number): Float64Array =>
        x.values.subarray(startOf(x, row), startOf(x, row) + width);
      const keys = range(Math.min(lengths[sequence] ?? 0, keyCount));
      for (const row of range(rowCount)) {
        const scores = keys.map((j) => dot(part(query, row), part(key, j)) / Math.sqrt(width));
        const start = (head * rowCount + row) * keyCount;
        const probabilities = softmax(biased(scores, inputs[4], start));
        weights.set(probabilities, sequence * headCount * rowCount * keyCount + start);
        probabilities.forEach((p, j) =>
          part(value, j).forEach((v, column) =>
            accumulate(result, startOf(query, row) + column, p * v),
          ),
        );
      }
    }
  return [result, weights];
}

/** The scores of one row, plus those of `bias` from `start` on, if there is one. */
function biased(scores: readonly number[], bias: Dense | undefined, start: number): Float64Array {
  return Float64Array.from(scores, (score, index) => score + (bias?.values[start + index] ?? 0));
}

function unary(compute: (x: number) => number): Evaluate {
  return (inputs) => [first(inputs).values.map((x) => compute(x))];
}

function binary(compute: (a: number, b: number) => number): Evaluate {
  return (inputs, { shape }) => {
    const [a, b] = pair("operator", inputs);
    return [zip(broadcastValues(a, shape), broadcastValues(b, shape), compute)];
  };
}

function reduction(compute: (x: Float64Array) => number): Evaluate {
  return (inputs, { attributes }) => [
    Float64Array.from(groups(first(inputs), axesOf(attributes)), compute),
  ];
}

function rowwise(compute: (row: Float64Array) => Float64Array): Evaluate {
  return (inputs) => {
    const x = first(inputs);
    return [join(groups(x, [x.shape.length - 1]).map(compute))];
  };
}

function softmax(row: Float64Array): Float64Array {
  const highest = Math.max(...row);
  const powers = row.map((x) => Math.exp(x - highest));
  const total = sum(powers);
  return powers.map((power) => power / total);
}

/** The rows of each matrix of the batch, or its columns. */
function vectors(
  { shape, values }: Dense,
  batch: readonly number[],
  areColumns: boolean,
): readonly (readonly Float64Array[])[] {
  const leading = shape.slice(0, -2);
  const [rows = 0, columns = 0] = shape.slice(-2);
  // The leading axes step over whole matrices.
  const strides = broadcastStrides(leading, batch).map((stride) => stride * rows * columns);
  return offsets(batch, strides).map((start) => {
    const matrix = values.subarray(start, start + rows * columns);
    return groups({ type: "float32", shape: [rows, columns], values: matrix }, [
      areColumns ? 0 : 1,
    ]);
  });
}

function products(
  rows: readonly Float64Array[],
  columns: readonly Float64Array[],
  factor = 1,
): Float64Array {
  const results = new Float64Array(rows.length * columns.length);
  let place = 0;
  for (const row of rows)
    for (const column of columns) results[place++] = factor * dot(row, column);
  return results;
}

/** Loops over indices: most of the time is spent here. */
function dot(a: Float64Array, b: Float64Array): number {
  let total = 0;
  for (let index = 0; index < a.length; index++)
    total += (a[index] ?? Number.NaN) * (b[index] ?? Number.NaN);
  return total;
}

function sum(values: Iterable<number>): number {
  let total = 0;
  for (const x of values) total += x;
  return total;
}

/** What a row has at the places, by the rows that are kept there. */
function keptProduct(row: Float64Array, [places, rows]: readonly [Dense, Dense]): Float64Array {
  return products([places.values.map((place) => row[place] ?? Number.NaN)], groups(rows, [0]));
}

function zip(
  a: Float64Array,
  b: Float64Array,
  compute: (x: number, y: number) => number,
): Float64Array {
  const result = new Float64Array(a.length);
  for (let index = 0; index < a.length; index++)
    result[index] = compute(a[index] ?? Number.NaN, b[index] ?? Number.NaN);
  return result;
}

function join(parts: readonly Float64Array[]): Float64Array {
  const result = new Float64Array(parts.reduce((length, part) => length + part.length, 0));
  let start = 0;
  for (const part of parts) {
    result.set(part, start);
    start += part.length;
  }
  return result;
}

function accumulate(values: Float64Array, index: number, x: number): void {
  values[index] = (values[index] ?? Number.NaN) + x;
}

/** Rounds as the default rounding mode of IEEE 754. */
function roundHalfToEven(x: number): number {
  const rounded = Math.round(x);
  return rounded - x === 0.5 && rounded % 2 !== 0 ? rounded - 1 : rounded;
}

function checkIndex(name: string, index: number, bound: number): void {
  if (index < 0 || index >= bound)
    throw new StrataError(
      "INVALID_ARGUMENT",
      `Cannot run ${name}: index ${index} is outside 0 to ${bound - 1}`,
    );
}
