/**
 * Translates the part of a graph that its outputs need into an ONNX model for ONNX Runtime. Every
 * operator has one lowering, chosen by measurement; see `lowerings.ts`.
 */
import {
  type Graph,
  type Node,
  only,
  reject,
  type TensorType,
  type TypedValues,
} from "../tensor.ts";
import { Lowering } from "./lowering.ts";
import { lowerings } from "./lowerings.ts";
import { encodeModel } from "./model.ts";

export interface OnnxModel {
  readonly bytes: Uint8Array;
  /** Inputs that a run must give, by name. */
  readonly inputs: ReadonlyMap<string, TensorType>;
  readonly outputs: ReadonlyMap<string, TensorType>;
}

/** `constants` gives inputs of the graph values that are stored in the model. */
export function toOnnx(
  graph: Graph,
  constants: ReadonlyMap<string, TypedValues> = new Map(),
): OnnxModel {
  const needed = reachable(graph);
  const lowering = new Lowering(graph, needed);
  const inputs = new Map<string, TensorType>();
  // Inputs first: a node may need the size of one that was declared after it.
  for (const node of graph.nodes) {
    if (!needed.has(node) || node.operator.name !== "input") continue;
    const tensor = only(node);
    const values = node.name === undefined ? node.values : constants.get(node.name);
    if (values !== undefined) lowering.fix(tensor, values);
    else if (node.name !== undefined) inputs.set(lowering.bind(tensor, node.name), tensor);
  }
  for (const node of graph.nodes)
    if (needed.has(node) && node.operator.name !== "input") lower(lowering, node);
  const outputs = lowering.finish();
  const { nodes, initializers } = lowering;
  return { bytes: encodeModel({ nodes, inputs, outputs, initializers }), inputs, outputs };
}

function lower(lowering: Lowering, node: Node): void {
  const rule = lowerings[node.operator.name];
  if (rule === undefined) throw reject("toOnnx", `"${node.operator.name}" has no lowering`);
  rule(lowering, node);
}

/** The nodes that the outputs need. */
function reachable(graph: Graph): ReadonlySet<Node> {
  const found = new Set<Node>();
  const open = [...graph.outputs.values()].map(({ node }) => node);
  for (let node = open.pop(); node !== undefined; node = open.pop()) {
    if (found.has(node)) continue;
    found.add(node);
    for (const { node: source } of node.inputs) open.push(source);
  }
  return found;
}
