/** The state of one translation to ONNX: names of tensors, nodes and constants so far. */
import { present } from "../../foundation/assert.ts";
import { type Dimension, factors, isSymbol } from "../dimension.ts";
import {
  type DataType,
  type Graph,
  type Node,
  reject,
  type Tensor,
  type TensorType,
  type TypedValues,
} from "../tensor.ts";
import type { OnnxAttribute, OnnxInitializer, OnnxNode } from "./model.ts";

export class Lowering {
  readonly nodes: OnnxNode[] = [];
  readonly initializers: Map<string, OnnxInitializer> = new Map();
  readonly #graph: Graph;
  readonly #needed: ReadonlySet<Node>;
  readonly #names = new Map<Tensor, string>();
  /** Constants that no node has read so far. */
  readonly #constants = new Map<Tensor, TypedValues>();
  readonly #memo = new Map<string, string>();
  readonly #used: ReadonlySet<Tensor>;
  /** Graph outputs by tensor: a result is named as the output, which saves a copy by Identity. */
  readonly #outputNames = new Map<Tensor, string>();

  constructor(graph: Graph, needed: ReadonlySet<Node>) {
    this.#graph = graph;
    this.#needed = needed;
    this.#used = new Set([...needed].flatMap(({ inputs }) => inputs));
    for (const [name, tensor] of graph.outputs)
      if (tensor.node.inputs.length > 0) this.#outputNames.set(tensor, name);
  }

  isUsed(tensor: Tensor): boolean {
    return this.#used.has(tensor) || this.#outputNames.has(tensor);
  }

  /** The one node that reads a tensor; undefined where others do, or the graph gives it out. */
  onlyReaderOf(tensor: Tensor): Node | undefined {
    if (this.#outputNames.has(tensor)) return undefined;
    const readers = [...this.#needed].filter(({ inputs }) => inputs.includes(tensor));
    return readers.length === 1 ? readers[0] : undefined;
  }

  /** The tensor's name; a constant becomes part of the model when it is first asked for. */
  name(tensor: Tensor): string {
    const values = this.#constants.get(tensor);
    if (values !== undefined) {
      this.#constants.delete(tensor);
      this.#initialize(tensor, values);
    }
    return present(this.#names.get(tensor), "A tensor is lowered before its uses");
  }

  /** Gives a tensor its values. */
  fix(tensor: Tensor, values: TypedValues): void {
    this.#constants.set(tensor, values);
  }

  bind(tensor: Tensor, name: string): string {
    this.#names.set(tensor, name);
    return name;
  }

  /** Names the outputs of a node that is being lowered; "" for those that nobody reads. */
  outputsOf(node: Node): readonly string[] {
    return node.outputs.map((output) => {
      if (output.output > 0 && !this.isUsed(output)) return "";
      const name = this.#outputNames.get(output) ?? `t${node.id}_${output.output}`;
      return this.bind(output, name);
    });
  }

  integers(values: readonly number[], isVector = true): string {
    const name = `i${isVector ? "v" : "s"}_${values.join("_")}`;
    const big = BigInt64Array.from(values, BigInt);
    const shape = isVector ? [values.length] : [];
    this.initializers.set(name, { type: "int64", shape, values: big });
    return name;
  }

  float(value: number): string {
    return this.constant("float32", Float32Array.of(value));
  }

  constant(type: DataType, values: TypedValues): string {
    const name = `k_${type}_${values.join("_")}`;
    this.initializers.set(name, { type, shape: [], values });
    return name;
  }

  /** Appends a node with one output and returns the output's name. */
  emit(
    operator: string,
    inputs: readonly string[],
    options: {
      readonly attributes?: Readonly<Record<string, OnnxAttribute>>;
      readonly domain?: string;
      readonly output?: string;
    } = {},
  ): string {
    const { attributes = {}, domain = "", output = `n${this.nodes.length}` } = options;
    this.nodes.push({ operator, domain, inputs, outputs: [output], attributes });
    return output;
  }

  /** What `make` emits, once per key. */
  once(key: string, make: () => string): string {
    const known = this.#memo.get(key) ?? make();
    this.#memo.set(key, known);
    return known;
  }

  /** int64 `[1]` with the value of a dimension. */
  dimension(dimension: Dimension): string {
    if (typeof dimension === "number") return this.integers([dimension]);
    return this.once(`dimension ${dimension}`, () => {
      const terms = factors(dimension).map(([count, ...symbols]) => {
        const parts = symbols.map((symbol) => this.#symbol(symbol));
        if (count !== 1 || parts.length === 0) parts.push(this.integers([count]));
        return parts.reduce((a, b) => this.emit("Mul", [a, b]));
      });
      return terms.reduce((a, b) => this.emit("Add", [a, b]));
    });
  }

  /** Emits Identity for outputs that are inputs, constants or the same tensor twice. */
  finish(): ReadonlyMap<string, TensorType> {
    for (const [name, tensor] of this.#graph.outputs)
      if (this.name(tensor) !== name) this.emit("Identity", [this.name(tensor)], { output: name });
    return this.#graph.outputs;
  }

  #initialize(tensor: Tensor, values: TypedValues): void {
    // Sizes of constants are numbers: symbols have no value yet.
    const shape = tensor.shape.map((dimension) => {
      if (typeof dimension === "string")
        throw reject("constant", `"${tensor.node.name}" has the open dimension ${dimension}`);
      return dimension;
    });
    const name = tensor.node.name ?? `c${tensor.node.id}`;
    this.initializers.set(this.bind(tensor, name), { type: tensor.type, shape, values });
  }

  #symbol(symbol: string): string {
    return this.once(`symbol ${symbol}`, () => {
      for (const tensor of this.#graph.inputs.values()) {
        const axis = tensor.shape.findIndex((size) => isSymbol(size) && size === symbol);
        if (axis < 0 || !this.#needed.has(tensor.node)) continue;
        const attributes = { start: { int: axis }, end: { int: axis + 1 } };
        return this.emit("Shape", [this.name(tensor)], { attributes });
      }
      throw reject("toOnnx", `no input of the graph has an axis of size "${symbol}"`);
    });
  }
}
