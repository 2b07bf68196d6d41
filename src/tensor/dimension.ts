/**
 * Symbolic dimensions. A dimension is a number or a polynomial over named symbols with integer
 * coefficients, written in one canonical form (`2*batch*sequence + -1`), so that two dimensions are
 * equal when their texts are.
 */
import { StrataError } from "../foundation/errors.ts";

export type Dimension = number | string;
export type Shape = readonly Dimension[];

/** Coefficient by monomial; a monomial is its symbols in order, joined by `*`, "" for one. */
type Terms = ReadonlyMap<string, number>;

export function add(a: Dimension, b: Dimension): Dimension {
  if (typeof a === "number" && typeof b === "number") return a + b;
  const sum = new Map(parse(a));
  for (const [monomial, count] of parse(b)) sum.set(monomial, (sum.get(monomial) ?? 0) + count);
  return print(sum);
}

export function multiply(a: Dimension, b: Dimension): Dimension {
  if (typeof a === "number" && typeof b === "number") return a * b;
  const product = new Map<string, number>();
  for (const [left, leftCount] of parse(a))
    for (const [right, rightCount] of parse(b)) {
      const monomial = [...split(left), ...split(right)].toSorted().join("*");
      product.set(monomial, (product.get(monomial) ?? 0) + leftCount * rightCount);
    }
  return print(product);
}

/** Number of elements of a tensor of this shape. */
export function elementCount(shape: Shape): Dimension {
  return shape.reduce(multiply, 1);
}

export function isSameShape(a: Shape, b: Shape): boolean {
  return a.length === b.length && a.every((dimension, axis) => dimension === b[axis]);
}

export function showShape(shape: Shape): string {
  return `[${shape.join(", ")}]`;
}

type Products = readonly (readonly [number, ...string[]])[];

/** The dimension as a sum of products: `[[2, "batch", "sequence"], [1]]`. */
export function factors(dimension: Dimension): Products {
  const known = factored.get(dimension);
  if (known !== undefined) return known;
  const products = [...parse(dimension)].map(
    ([monomial, count]) => [count, ...split(monomial)] as const,
  );
  if (factored.size < rememberedCountMax) factored.set(dimension, products);
  return products;
}

/** Graphs have few dimensions, which are asked for again and again. */
const rememberedCountMax = 10_000;
const factored = new Map<Dimension, Products>();

/** Whether the dimension is one bare symbol, such as `batch`. */
export function isSymbol(dimension: Dimension): dimension is string {
  return typeof dimension === "string" && /^[A-Za-z]\w*$/.test(dimension);
}

/** The dimension's value; INVALID_ARGUMENT when a symbol has none. */
export function evaluate(dimension: Dimension, values: ReadonlyMap<string, number>): number {
  if (typeof dimension === "number") return dimension;
  let sum = 0;
  for (const [count, ...symbols] of factors(dimension)) {
    let product = count;
    for (const symbol of symbols) product *= valueOf(symbol, values);
    sum += product;
  }
  return sum;
}

/**
 * The shape to which NumPy's rules broadcast both, or undefined. A symbol only meets itself or 1:
 * whether two symbols are equal is not known when the graph is built.
 */
export function broadcast(a: Shape, b: Shape): Shape | undefined {
  const rank = Math.max(a.length, b.length);
  const result: Dimension[] = [];
  for (let axis = 0; axis < rank; axis++) {
    const left = a[axis - rank + a.length] ?? 1;
    const right = b[axis - rank + b.length] ?? 1;
    if (left !== right && left !== 1 && right !== 1) return undefined;
    result.push(left === 1 ? right : left);
  }
  return result;
}

function valueOf(symbol: string, values: ReadonlyMap<string, number>): number {
  const value = values.get(symbol);
  if (value === undefined)
    throw new StrataError("INVALID_ARGUMENT", `Cannot size a tensor: "${symbol}" has no value`);
  return value;
}

function split(monomial: string): string[] {
  return monomial === "" ? [] : monomial.split("*");
}

function parse(dimension: Dimension): Terms {
  if (typeof dimension === "number") return new Map([["", dimension]]);
  const terms = new Map<string, number>();
  for (const term of dimension.split("+")) {
    const parts = term.trim().split("*");
    const count = Number(parts[0]);
    const symbols = Number.isNaN(count) ? parts : parts.slice(1);
    terms.set(symbols.join("*"), Number.isNaN(count) ? 1 : count);
  }
  return terms;
}

function print(terms: Terms): Dimension {
  const kept = [...terms].filter(([, count]) => count !== 0);
  if (kept.length === 0) return 0;
  const constant = kept.length === 1 && kept[0]?.[0] === "" ? kept[0][1] : undefined;
  if (constant !== undefined) return constant;
  // The constant comes last, as people write it.
  const ordered = kept.toSorted(([a], [b]) => (b === "" ? -1 : a === "" ? 1 : a < b ? -1 : 1));
  return ordered.map(([monomial, count]) => printTerm(monomial, count)).join(" + ");
}

function printTerm(monomial: string, count: number): string {
  if (monomial === "") return String(count);
  return count === 1 ? monomial : `${count}*${monomial}`;
}
