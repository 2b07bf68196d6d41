/**
 * Translates the part of a graph that its outputs need into an ONNX model for ONNX Runtime. Every
 * operator has one lowering, chosen by measurement; see `lowerings.ts`.
 */
import { isShared } from "../../foundation/shared-memory.ts";
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
import { encodeModel, type OnnxInitializer } from "./model.ts";

/** A model as plain values, which may be handed to other threads. */
export interface OnnxModel {
  /** All but the constants in shared memory, which `withInitializers` adds. */
  readonly bytes: Uint8Array;
  readonly constants: ReadonlyMap<string, OnnxInitializer>;
  /** Inputs of the model that are looked up before a run, by name. */
  readonly lookups: ReadonlyMap<string, Lookup>;
  /** Inputs that a run must give, by name. */
  readonly inputs: ReadonlyMap<string, TensorType>;
  readonly outputs: ReadonlyMap<string, TensorType>;
}

/** Rows of a table as an input: tables are too large for every session to hold its own. */
export interface Lookup extends TensorType {
  /** It lies in shared memory, `[rows, …]`. */
  readonly table: Float32Array;
  /** The shape of one row. */
  readonly row: readonly number[];
  /** The input whose numbers, int32 or int64 and of any shape, say which rows. */
  readonly places: string;
}

/** Smaller tables become constants like any other. */
const lookupBytesMin = 1024 * 1024;

type Constants = ReadonlyMap<string, TypedValues>;

/**
 * Inputs of the graph that `constants` gives values become part of the model; what lies in shared
 * memory is not copied here.
 */
export function toOnnx(graph: Graph, constants: Constants = new Map()): OnnxModel {
  const needed = reachable(graph);
  const nodes = graph.nodes.filter((node) => needed.has(node));
  const lowering = new Lowering(graph, needed);
  // Inputs first: a node may need the size of one that was declared after it.
  const inputs = bindInputs(lowering, nodes, constants);
  const lookups = new Map<string, Lookup>();
  for (const node of nodes) {
    if (node.operator.name === "input") continue;
    const lookup = lookupOf(node, constants);
    if (lookup === undefined) lower(lowering, node);
    else lookups.set(lowering.bind(only(node), `rows ${node.id}`), lookup);
  }
  const outputs = new Map<string, TensorType>();
  for (const [name, tensor] of lowering.finish()) outputs.set(name, typeOf(tensor));
  const [shared, initializers] = parted(lowering.initializers);
  const given = new Map([...inputs, ...lookups]);
  const bytes = encodeModel({ nodes: lowering.nodes, inputs: given, outputs, initializers });
  return { bytes, constants: shared, lookups, inputs, outputs };
}

/** Fixes those that have values, and names the others. */
function bindInputs(
  lowering: Lowering,
  nodes: readonly Node[],
  constants: Constants,
): ReadonlyMap<string, TensorType> {
  const inputs = new Map<string, TensorType>();
  for (const node of nodes) {
    if (node.operator.name !== "input") continue;
    const tensor = only(node);
    const values = node.name === undefined ? node.values : constants.get(node.name);
    if (values !== undefined) lowering.fix(tensor, values);
    else if (node.name !== undefined) inputs.set(lowering.bind(tensor, node.name), typeOf(tensor));
  }
  return inputs;
}

/** A node that takes rows of a large table in shared memory is no node, but looked up. */
function lookupOf(node: Node, constants: Constants): Lookup | undefined {
  const [table, places] = node.inputs;
  if (node.operator.name !== "gather" || table === undefined) return undefined;
  const values = constants.get(table.node.name ?? "");
  const name = places?.node.name;
  if (!(values instanceof Float32Array) || name === undefined || constants.has(name))
    return undefined;
  if (!isShared(values) || values.byteLength < lookupBytesMin) return undefined;
  const row = table.shape.slice(1).map(Number);
  return { ...typeOf(only(node)), table: values, row, places: name };
}

/** The initializers in shared memory, and the others. */
function parted(
  initializers: ReadonlyMap<string, OnnxInitializer>,
): readonly [ReadonlyMap<string, OnnxInitializer>, ReadonlyMap<string, OnnxInitializer>] {
  const [shared, own] = [true, false].map(
    (wanted) => new Map([...initializers].filter(([, value]) => isShared(value.values) === wanted)),
  ) as [Map<string, OnnxInitializer>, Map<string, OnnxInitializer>]; // two for two
  return [shared, own];
}

/** A tensor without its node, which would drag the whole graph along. */
function typeOf({ type, shape }: TensorType): TensorType {
  return { type, shape };
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
