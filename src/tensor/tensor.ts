/**
 * The graph language. A `Graph` is a growing list of typed nodes in topological order; a `Tensor`
 * is one output of one node and never changes. Shapes are checked when a node is made, on symbolic
 * dimensions. Equal nodes are made once, so that writing an expression twice costs nothing.
 *
 * Operators are functions over tensors (`operators/`), `gradient()` writes the derivative as more
 * of the same graph, `toOnnx()` translates; this folder knows no runtime.
 */
import { StrataError } from "../foundation/errors.ts";
import { type Shape, showShape } from "./dimension.ts";

export type DataType = "float32" | "int64" | "int32" | "bool" | "uint8" | "int8";

export type TypedValues = Float32Array | BigInt64Array | Int32Array | Uint8Array | Int8Array;

export interface TensorType {
  readonly type: DataType;
  readonly shape: Shape;
}

export interface Tensor extends TensorType {
  readonly node: Node;
  /** Which output of its node it is. */
  readonly output: number;
}

export type AttributeValue = number | string | boolean | Shape | null;
export type Attributes = Readonly<Record<string, AttributeValue>>;

export interface Node {
  readonly id: number;
  readonly graph: Graph;
  readonly operator: Operator;
  readonly inputs: readonly Tensor[];
  readonly attributes: Attributes;
  readonly outputs: readonly Tensor[];
  /** The name of an input or a parameter; undefined elsewhere. */
  readonly name: string | undefined;
  /** The values of a constant; undefined elsewhere. */
  readonly values: TypedValues | undefined;
}

/** What an operator is; how it runs is said by `onnx/` and by each `Runtime`. */
export interface Operator {
  readonly name: string;
  /** Types of the outputs; a fault of the inputs is told by `reject`. */
  infer(inputs: readonly TensorType[], attributes: Attributes): readonly TensorType[];
  /**
   * It makes the gradients of the loss by each input of those by each output; undefined where it is
   * zero or not defined. Absent when the operator cannot be differentiated.
   */
  gradient?(
    node: Node,
    outputGradients: readonly (Tensor | undefined)[],
  ): readonly (Tensor | undefined)[];
}

export class Graph {
  readonly #nodes: Node[] = [];
  readonly #named = new Map<string, Tensor>();
  readonly #known = new Map<string, Node>();
  readonly #outputs = new Map<string, Tensor>();
  readonly #scalars = new Map<number, Tensor>();

  get nodes(): readonly Node[] {
    return this.#nodes;
  }

  /** Results by name, in the order of their declaration. */
  get outputs(): ReadonlyMap<string, Tensor> {
    return this.#outputs;
  }

  /** Inputs by name, in the order of their declaration. */
  get inputs(): ReadonlyMap<string, Tensor> {
    return this.#named;
  }

  /** A value given at each run. Weights are inputs too: `toOnnx` may embed any of them. */
  input(name: string, type: DataType, shape: Shape): Tensor {
    if (this.#named.has(name)) throw reject("input", `"${name}" is declared twice`);
    const tensor = only(this.#appendInput({ type, shape }, { name, values: undefined }));
    this.#named.set(name, tensor);
    return tensor;
  }

  /** A value fixed in the graph. Small ones only: they are stored in the model file itself. */
  constant(values: TypedValues, shape: Shape, type: DataType = typeOfValues(values)): Tensor {
    return only(this.#appendInput({ type, shape }, { name: undefined, values }));
  }

  scalar(value: number): Tensor {
    const tensor = this.#scalars.get(value) ?? this.constant(Float32Array.of(value), []);
    this.#scalars.set(value, tensor);
    return tensor;
  }

  output(name: string, tensor: Tensor): void {
    if (this.#outputs.has(name)) throw reject("output", `"${name}" is declared twice`);
    this.#outputs.set(name, tensor);
  }

  /** Makes a node, or returns the equal one that exists. */
  apply(operator: Operator, inputs: readonly Tensor[], attributes: Attributes = {}): Node {
    for (const input of inputs)
      if (input.node.graph !== this) throw reject(operator.name, "inputs are of two graphs");
    const refs = inputs.map((input) => `${input.node.id}.${input.output}`).join(",");
    const key = `${operator.name}(${refs})${JSON.stringify(attributes)}`;
    const known = this.#known.get(key);
    if (known !== undefined) return known;
    const node = this.#append({ operator, inputs, attributes, name: undefined, values: undefined });
    this.#known.set(key, node);
    return node;
  }

  #appendInput({ type, shape }: TensorType, own: Pick<Node, "name" | "values">): Node {
    const attributes = { type, shape: [...shape] };
    return this.#append({ ...own, operator: inputOperator, inputs: [], attributes });
  }

  #append(made: Omit<Node, "id" | "graph" | "outputs">): Node {
    const outputs: Tensor[] = [];
    const node: Node = { ...made, id: this.#nodes.length, graph: this, outputs };
    for (const { type, shape } of made.operator.infer(made.inputs, made.attributes))
      outputs.push({ node, output: outputs.length, type, shape });
    this.#nodes.push(node);
    return node;
  }
}

const inputOperator: Operator = {
  name: "input",
  infer: (_, { type, shape }) => [
    { type: type as DataType, shape: shape as Shape }, // `input` and `constant` give both
  ],
};

/** The single output of a node. */
export function only(node: Node): Tensor {
  const [tensor] = node.outputs;
  if (tensor === undefined || node.outputs.length > 1)
    throw reject(node.operator.name, `has ${node.outputs.length} outputs`);
  return tensor;
}

/** The inputs of an operator that takes one. */
export function first<T>(inputs: readonly T[]): T {
  const [x] = inputs;
  if (x === undefined) throw reject("operator", "expected an input");
  return x;
}

/** The first two inputs of an operator. */
export function pair<T>(name: string, inputs: readonly T[]): readonly [T, T] {
  const [a, b] = inputs;
  if (a === undefined || b === undefined) throw reject(name, "expected two inputs");
  return [a, b];
}

/** The first three inputs of an operator. */
export function triple<T>(name: string, inputs: readonly T[]): readonly [T, T, T] {
  const [a, b, c] = inputs;
  if (a === undefined || b === undefined || c === undefined)
    throw reject(name, "expected three inputs");
  return [a, b, c];
}

/** The error of a graph that cannot be: operator, colon, what is wrong. */
export function reject(operator: string, fault: string): StrataError {
  return new StrataError("INVALID_ARGUMENT", `Cannot build ${operator}: ${fault}`);
}

/** `batch [batch, 384]`, for messages. */
export function describe(tensor: TensorType): string {
  const name = "node" in tensor ? (tensor as Tensor).node.name : undefined; // only Tensor has one
  return `${name === undefined ? "" : `"${name}" `}${tensor.type} ${showShape(tensor.shape)}`;
}

function typeOfValues(values: TypedValues): DataType {
  if (values instanceof Float32Array) return "float32";
  if (values instanceof BigInt64Array) return "int64";
  if (values instanceof Int32Array) return "int32";
  return values instanceof Uint8Array ? "uint8" : "int8";
}
