/** Evaluates a graph in float64, node by node. */
import { present } from "../../foundation/assert.ts";
import { StrataError } from "../../foundation/errors.ts";
import { evaluate } from "../../tensor/dimension.ts";
import type { Graph, Node, Tensor } from "../../tensor/tensor.ts";
import { countOf, type Dense, toDense } from "./dense.ts";
import { type Evaluate, operators } from "./operators.ts";

export interface Situation {
  /** All inputs of the graph that the targets need, by name. */
  readonly inputs: ReadonlyMap<string, Dense>;
  readonly symbols: ReadonlyMap<string, number>;
  /** What is wanted; the outputs of the graph unless told. */
  readonly targets?: Iterable<Tensor>;
  /** The nodes on which the targets depend, where they are known already. */
  readonly nodes?: readonly Node[];
}

/** The value of every tensor that the targets need, the targets among them. */
export function evaluateGraph(graph: Graph, situation: Situation): ReadonlyMap<Tensor, Dense> {
  const { inputs, symbols, targets = graph.outputs.values() } = situation;
  const { nodes = ancestors(graph, targets) } = situation;
  const known = new Map<Tensor, Dense>();
  for (const node of nodes) {
    const shapes = node.outputs.map(({ shape }) => shape.map((size) => evaluate(size, symbols)));
    const [shape = []] = shapes;
    const given = node.inputs.map((input) => present(known.get(input), "inputs come first"));
    const values =
      node.operator.name === "input"
        ? [inputOf(node, { shape, inputs }).values]
        : evaluatorOf(node)(given, { attributes: node.attributes, shape, symbols });
    for (const [index, tensor] of node.outputs.entries()) {
      const found = present(values[index], "every output has values");
      const size = present(shapes[index], "every output has a shape");
      if (found.length !== countOf(size))
        throw refuse(node, `expected ${countOf(size)} elements, got ${found.length}`);
      known.set(tensor, { type: tensor.type, shape: size, values: found });
    }
  }
  return known;
}

/** INVALID_ARGUMENT when the table lacks the node's operator. */
export function evaluatorOf(node: Node): Evaluate {
  const evaluator = operators[node.operator.name];
  if (evaluator === undefined) throw refuse(node, "the reference runtime lacks this operator");
  return evaluator;
}

/** The nodes on which the targets depend, in order. */
export function ancestors(graph: Graph, targets: Iterable<Tensor>): readonly Node[] {
  const needed = new Set<Node>(Array.from(targets, ({ node }) => node));
  for (const node of graph.nodes.toReversed())
    if (needed.has(node)) for (const input of node.inputs) needed.add(input.node);
  return graph.nodes.filter((node) => needed.has(node));
}

function inputOf(
  node: Node,
  { shape, inputs }: { readonly shape: readonly number[]; readonly inputs: Situation["inputs"] },
): Dense {
  const [{ type } = { type: "float32" as const }] = node.outputs;
  if (node.values !== undefined) return toDense(type, shape, node.values);
  const given = inputs.get(node.name ?? "");
  if (given === undefined) throw refuse(node, `"${node.name}" has no value`);
  return given;
}

function refuse(node: Node, fault: string): StrataError {
  return new StrataError("INVALID_ARGUMENT", `Cannot run ${node.operator.name}: ${fault}`);
}
