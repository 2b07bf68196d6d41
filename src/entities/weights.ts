/** Named tensors of numbers: what files hold, what is learned, what versions are made of. */

/** The one form of a tensor with its numbers outside of graphs; a map or a list gives its name. */
export interface Weight {
  readonly shape: readonly number[];
  /** The numbers in row-major order, as many as the shape says. */
  readonly values: Float32Array;
}

/** Weights by name, in the order in which they lie. */
export type Weights = ReadonlyMap<string, Weight>;

/** What is said of a weight before there are numbers. */
export interface WeightShape {
  readonly name: string;
  readonly shape: readonly number[];
}

export function shapesOf(weights: Weights): ReadonlyMap<string, readonly number[]> {
  return new Map([...weights].map(([name, { shape }]) => [name, shape]));
}

/** Why these shapes are not exactly the wanted ones; undefined when they are. */
export function faultOfShapes(
  shapes: ReadonlyMap<string, readonly number[]>,
  wanted: readonly WeightShape[],
): string | undefined {
  for (const { name, shape } of wanted) {
    const got = shapes.get(name);
    if (got === undefined) return `tensor "${name}" is missing`;
    const fits = got.length === shape.length && got.every((size, axis) => size === shape[axis]);
    if (!fits) return `tensor "${name}": expected [${shape.join(", ")}], got [${got.join(", ")}]`;
  }
  if (shapes.size === wanted.length) return undefined;
  const names = new Set(wanted.map(({ name }) => name));
  const extra = [...shapes.keys()].find((name) => !names.has(name)) ?? "";
  return `tensor "${extra}" is not one of this version's`;
}

/** Why the numbers cannot be computed with; undefined when they can. */
export function faultOfValues(weights: Weights): string | undefined {
  for (const [name, { values }] of weights) {
    const fault = faultOfNumbers(values);
    if (fault !== undefined) return `tensor "${name}": ${fault}`;
  }
  return undefined;
}

/** The first number that is infinite or none, and its place; undefined when all are finite. */
export function faultOfNumbers(values: Float32Array): string | undefined {
  if (areFinite(values)) return undefined;
  const index = values.findIndex((value) => !Number.isFinite(value));
  return `value ${index} is ${values[index]}, expected a finite number`;
}

export function areFinite(values: Float32Array): boolean {
  // What is finite differs from itself by 0; one value that is not makes the sum no number. The
  // loop has no branch: weights are long, and it runs on the main thread.
  let probe = 0;
  for (let index = 0; index < values.length; index++) {
    const value = values[index] ?? 0;
    probe += value - value;
  }
  return probe === 0;
}
