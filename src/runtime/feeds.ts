/**
 * Checks feeds against a graph before a run, because ONNX Runtime's own message for two inputs that
 * disagree on a symbol is obscure, and a disagreement of n against 1 broadcasts silently.
 */
import { present } from "../foundation/assert.ts";
import { StrataError } from "../foundation/errors.ts";
import { type Dimension, evaluate, isSymbol, showShape } from "../tensor/dimension.ts";
import type { TensorType } from "../tensor/tensor.ts";
import type { Feed, Feeds } from "./runtime.ts";

/** The value of each symbol; INVALID_ARGUMENT when feeds and inputs do not fit. */
export function bindFeeds(
  inputs: ReadonlyMap<string, TensorType>,
  feeds: Feeds,
): ReadonlyMap<string, number> {
  for (const name of Object.keys(feeds))
    if (!inputs.has(name)) throw refuse(name, "the graph has no such input");
  const symbols = new Map<string, number>();
  for (const [name, { type, shape }] of inputs) {
    const feed = feeds[name];
    if (feed === undefined) throw refuse(name, "it is missing");
    if (feed.type !== type) throw refuse(name, `expected ${type}, got ${feed.type}`);
    const fits = feed.shape.length === shape.length;
    if (!fits || !shape.every((dimension, axis) => bind(dimension, feed.shape[axis], symbols)))
      throw refuse(name, `expected ${showShape(shape)}, got ${showShape(feed.shape)}`);
  }
  // Composite dimensions are checked when all symbols are known.
  for (const [name, { shape }] of inputs) {
    const feed = present(feeds[name], "checked above");
    if (!shape.every((dimension, axis) => evaluate(dimension, symbols) === feed.shape[axis]))
      throw refuse(name, `expected ${showShape(shape)}, got ${showShape(feed.shape)}`);
    const fault = faultOfElements(feed);
    if (fault !== undefined) throw refuse(name, fault);
  }
  return symbols;
}

function bind(
  dimension: Dimension,
  size: number | undefined,
  symbols: Map<string, number>,
): boolean {
  if (size === undefined) return false;
  if (typeof dimension === "number") return dimension === size;
  if (!isSymbol(dimension)) return true;
  const known = symbols.get(dimension);
  symbols.set(dimension, size);
  return known === undefined || known === size;
}

/** What is wrong with the number of elements, or with where they are gathered. */
function faultOfElements(feed: Feed): string | undefined {
  const size = feed.shape.reduce((product, dimension) => product * dimension, 1);
  if (feed.kind === "value")
    return feed.values.length === size
      ? undefined
      : `expected ${size} elements, got ${feed.values.length}`;
  const { shape, pool, offsets, lengths } = feed;
  if (offsets.length !== shape[0] || lengths.length !== shape[0])
    return `expected ${shape[0]} rows, got ${offsets.length} offsets and ${lengths.length} lengths`;
  for (const [row, offset] of offsets.entries()) {
    const length = lengths[row] ?? 0;
    if (length * offsets.length > size) return `row ${row} of ${length} elements is too long`;
    if (offset + length > pool.length) return `row ${row} ends outside the pool`;
  }
  return undefined;
}

function refuse(name: string, fault: string): StrataError {
  return new StrataError("INVALID_ARGUMENT", `Cannot run graph: input "${name}": ${fault}`);
}
