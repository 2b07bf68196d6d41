/**
 * One sheet of the exam of runtimes: a graph under construction with random feeds, which follow
 * from a `Sketch` that fast-check draws and shrinks. A sheet owns its graph and feeds.
 */
import fc from "fast-check";
import { permutation, SeededRandom } from "../foundation/random.ts";
import { type Dimension, evaluate } from "../tensor/dimension.ts";
import { gradient } from "../tensor/gradient.ts";
import { add, cast, mul } from "../tensor/operators/elementwise.ts";
import { reduceSum } from "../tensor/operators/shape.ts";
import { type DataType, Graph, type Tensor } from "../tensor/tensor.ts";
import { countOf, type Dense, range } from "./reference/dense.ts";

/** The shape from which the shapes of an exercise derive. */
export interface Sketch {
  readonly axes: readonly {
    readonly size: number;
    readonly isSymbol: boolean;
    /** Which of two operands has size 1 here: 1 the first, 2 the second, 0 none. */
    readonly single: number;
    readonly isReduced: boolean;
  }[];
  /** How many leading axes the second operand lacks. */
  readonly droppedCount: number;
  /** Whether the graph has no gradients, which may change how it is translated. */
  readonly isForwardOnly: boolean;
  readonly seed: number;
}

/** Sketches have at most 400 elements, for the sums of float32 to stay within the tolerance. */
export const sketches: fc.Arbitrary<Sketch> = fc
  .record({
    axes: fc.array(
      fc.record({
        size: fc.integer({ min: 1, max: 7 }),
        isSymbol: fc.boolean(),
        single: fc.integer({ min: 0, max: 2 }),
        isReduced: fc.boolean(),
      }),
      { minLength: 1, maxLength: 4 },
    ),
    droppedCount: fc.integer({ min: 0, max: 2 }),
    isForwardOnly: fc.boolean(),
    seed: fc.nat(),
  })
  .filter(({ axes }) => countOf(axes.map(({ size }) => size)) <= 400);

/** Draws the elements of an array of this shape. */
export type Draw = (shape: readonly number[], random: SeededRandom) => readonly number[];

export class Sheet {
  readonly graph = new Graph();
  readonly random: SeededRandom;
  readonly sketch: Sketch;
  /** The float32 inputs by which the loss is differentiated. */
  readonly parameters: Tensor[] = [];
  readonly feeds = new Map<string, Dense>();
  readonly symbols = new Map<string, number>();

  constructor(sketch: Sketch) {
    this.sketch = sketch;
    this.random = new SeededRandom(sketch.seed);
  }

  /** The shape of the sketch. */
  get shape(): readonly Dimension[] {
    return this.sketch.axes.map(({ size, isSymbol: named }, axis) =>
      named ? this.symbol(`n${axis}`, size) : size,
    );
  }

  /** The shapes of two operands that broadcast to `shape`. */
  get operands(): readonly [readonly Dimension[], readonly Dimension[]] {
    const { axes, droppedCount } = this.sketch;
    const [first, second] = [1, 2].map((operand) =>
      this.shape.map((size, axis) => (axes[axis]?.single === operand ? 1 : size)),
    );
    return [first ?? [], second?.slice(droppedCount) ?? []];
  }

  get reducedAxes(): readonly number[] {
    return range(this.sketch.axes.length).filter((axis) => this.sketch.axes[axis]?.isReduced);
  }

  /** A dimension with a name; the same name must come with the same size. */
  symbol(name: string, size: number): Dimension {
    this.symbols.set(name, size);
    return name;
  }

  /** Another dimension of 1 to 7. */
  dimension(name: string): Dimension {
    const size = 1 + this.random.integer(7);
    return this.random.integer(2) === 0 ? size : this.symbol(name, size);
  }

  coin(): boolean {
    return this.random.integer(2) === 0;
  }

  parameter(shape: readonly Dimension[], draw: Draw = normal): Tensor {
    const tensor = this.input("float32", shape, draw);
    this.parameters.push(tensor);
    return tensor;
  }

  /** An input that is not differentiated. */
  input(type: DataType, shape: readonly Dimension[], draw: Draw): Tensor {
    const name = `${type}${this.feeds.size}`;
    const sizes = shape.map((dimension) => evaluate(dimension, this.symbols));
    const values = Float64Array.from(draw(sizes, this.random), Math.fround);
    this.feeds.set(name, { type, shape: sizes, values });
    return this.graph.input(name, type, shape);
  }

  /**
   * Declares `outputs` and, unless the sketch says otherwise, the gradients by the parameters of
   * the loss Σ output · weight, with weights from `draw`. Returns the loss.
   */
  finish(outputs: readonly Tensor[], draw: Draw = normal): Tensor {
    const losses = outputs.map((output) => {
      const weights = this.input("float32", output.shape, draw);
      return reduceSum(mul(cast(output, "float32"), weights), range(output.shape.length));
    });
    const loss = losses.reduce((sum, term) => add(sum, term));
    const slopes = gradient(loss, this.parameters);
    for (const [index, output] of outputs.entries()) this.graph.output(`output${index}`, output);
    if (this.sketch.isForwardOnly) return loss;
    for (const [index, slope] of slopes.entries()) this.graph.output(gradientName(index), slope);
    return loss;
  }
}

export function gradientName(parameter: number): string {
  return `gradient${parameter}`;
}

export const normal: Draw = (shape, random) => numbers(shape, () => random.normal());
export const positive: Draw = (shape, random) => numbers(shape, () => 0.2 + 2 * random.uniform());
/** Draws at least 0.1 from 0, where functions have kinks and poles. */
export const nonZero: Draw = (shape, random) =>
  numbers(shape, () => (0.1 + 2 * random.uniform()) * (random.integer(2) === 0 ? 1 : -1));
/** Multiples of 1/4, and those plus 1/8: no element of one is nearer than 1/8 to the other's. */
export const evenGrid: Draw = (shape, random) => numbers(shape, () => (random.integer(17) - 8) / 4);
export const oddGrid: Draw = (shape, random) =>
  numbers(shape, () => (random.integer(17) - 8) / 4 + 1 / 8);
/** No two elements are equal. */
export const distinct: Draw = (shape, random) =>
  Array.from(permutation(countOf(shape), random), (place) => place / 64 - 2);
/** Rows that span 255 steps, zero among them, so that quantising them loses nothing. */
export const quantizable: Draw = (shape, random) => {
  const width = shape.at(-1) ?? 1;
  return range(countOf(shape) / width).flatMap(() => {
    const step = 2 ** (random.integer(5) - 12);
    const lowest = width === 1 ? -255 * random.integer(2) : -random.integer(256);
    const [first, last] = [random.integer(width), random.integer(width)];
    // Both ends, at different places; a single element is one of them.
    const place = first === last ? (first + 1) % width : last;
    return range(width).map((i) => {
      if (i === first) return (width === 1 && lowest < 0 ? lowest : lowest + 255) * step;
      return (i === place ? lowest : lowest + random.integer(256)) * step;
    });
  });
};

export function integers(low: number, high: number): Draw {
  return (shape, random) => numbers(shape, () => low + random.integer(high - low + 1));
}

function numbers(shape: readonly number[], draw: () => number): readonly number[] {
  return Array.from({ length: countOf(shape) }, draw);
}
