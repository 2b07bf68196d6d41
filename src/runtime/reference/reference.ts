/**
 * The reference runtime: evaluates graphs in float64 in this thread. Slow, and the yardstick of
 * every other runtime; results and state are rounded to the graph's data types after each run.
 * A program owns the values of its state inputs.
 */
import { present } from "../../foundation/assert.ts";
import { StrataError } from "../../foundation/errors.ts";
import { evaluate } from "../../tensor/dimension.ts";
import type { Graph, Node, Tensor, TypedValues } from "../../tensor/tensor.ts";
import { bindFeeds } from "../feeds.ts";
import {
  type Feed,
  type Feeds,
  gatherRows,
  type LoadOptions,
  type Program,
  type Results,
  type Runtime,
  type Value,
} from "../runtime.ts";
import { type Dense, toDense, toValue } from "./dense.ts";
import { ancestors, evaluateGraph, evaluatorOf } from "./evaluate.ts";

export class ReferenceRuntime implements Runtime {
  prepare(): void {}

  async load(graph: Graph, options: LoadOptions = {}): Promise<Program> {
    return new ReferenceProgram(graph, options);
  }

  async close(): Promise<void> {}
}

class ReferenceProgram implements Program {
  readonly #graph: Graph;
  /** The nodes that the outputs need, in order. */
  readonly #nodes: readonly Node[];
  readonly #constants: ReadonlyMap<string, TypedValues>;
  /** The output that replaces each state input; null where it stays as written. */
  readonly #replacements: ReadonlyMap<string, string | null>;
  /** The inputs that the outputs need and that are not constants. */
  readonly #inputs: ReadonlyMap<string, Tensor>;
  readonly #state = new Map<string, Value>();
  /** Constants of which the shape has no symbols, in float64. */
  readonly #dense = new Map<string, Dense>();

  constructor(graph: Graph, { constants = new Map(), state = {} }: LoadOptions) {
    this.#graph = graph;
    this.#constants = constants;
    this.#replacements = new Map(Object.entries(state));
    for (const name of [...constants.keys(), ...this.#replacements.keys()])
      if (!graph.inputs.has(name)) throw refuse("load graph", `there is no input "${name}"`);
    for (const name of this.#replacements.values())
      if (name !== null && !graph.outputs.has(name))
        throw refuse("load graph", `there is no output "${name}"`);
    this.#nodes = ancestors(graph, graph.outputs.values());
    const needed = new Set(this.#nodes);
    for (const node of needed) if (node.operator.name !== "input") evaluatorOf(node);
    this.#inputs = new Map(
      [...graph.inputs].filter(([name, { node }]) => needed.has(node) && !constants.has(name)),
    );
  }

  async run(feeds: Feeds): Promise<Results> {
    for (const name of this.#replacements.keys())
      if (name in feeds) throw refuse("run graph", `input "${name}" is state`);
    const all = { ...feeds, ...Object.fromEntries(this.#state) };
    const symbols = bindFeeds(this.#inputs, all);
    const inputs = new Map(Object.entries(all).map(([name, value]) => [name, toInput(value)]));
    for (const name of this.#constants.keys()) inputs.set(name, this.#constant(name, symbols));
    const known = evaluateGraph(this.#graph, { inputs, symbols, nodes: this.#nodes });
    const results = new Map<string, Value>();
    for (const [name, tensor] of this.#graph.outputs)
      results.set(name, toValue(present(known.get(tensor), "outputs are evaluated")));
    const replacements = [...this.#replacements].filter(isReplaced);
    for (const [name, output] of replacements)
      this.#state.set(name, present(results.get(output), "checked when loaded"));
    for (const [, output] of replacements) results.delete(output);
    return Object.fromEntries(results);
  }

  async write(values: Feeds): Promise<void> {
    const names = Object.keys(values);
    this.#checkState(names);
    bindFeeds(new Map([...this.#inputs].filter(([name]) => names.includes(name))), values);
    for (const [name, value] of Object.entries(values))
      this.#state.set(name, toValue(toInput(value)));
  }

  async read(names: readonly string[]): Promise<Results> {
    this.#checkState(names);
    const found = names.map((name) => {
      const value = this.#state.get(name);
      if (value === undefined) throw refuse("read state", `"${name}" was never written`);
      return [name, { ...value, values: value.values.slice() }] as const;
    });
    return Object.fromEntries(found);
  }

  async release(): Promise<void> {
    this.#state.clear();
  }

  #constant(name: string, symbols: ReadonlyMap<string, number>): Dense {
    const known = this.#dense.get(name);
    if (known !== undefined) return known;
    const { type, shape } = present(this.#graph.inputs.get(name), "checked when loaded");
    const values = present(this.#constants.get(name), "it is asked by its name");
    const sizes = shape.map((size) => evaluate(size, symbols));
    const dense = toDense(type, sizes, values);
    if (shape.every((size) => typeof size === "number")) this.#dense.set(name, dense);
    return dense;
  }

  #checkState(names: readonly string[]): void {
    for (const name of names)
      if (!this.#replacements.has(name)) throw refuse("access state", `"${name}" is not state`);
  }
}

function isReplaced(entry: readonly [string, string | null]): entry is [string, string] {
  return entry[1] !== null;
}

function toInput(feed: Feed): Dense {
  const values = feed.kind === "gathered" ? gatherRows(feed) : feed.values;
  return toDense(feed.type, feed.shape, values);
}

function refuse(action: string, fault: string): StrataError {
  return new StrataError("INVALID_ARGUMENT", `Cannot ${action}: ${fault}`);
}
