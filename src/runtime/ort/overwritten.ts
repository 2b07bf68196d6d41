/** Which state a run may overwrite, told by what reads it. */
import type { Graph, Node, Tensor } from "../../tensor/tensor.ts";
import type { StateNames } from "../runtime.ts";

/** Operators that read an element only to write the one at its place. */
const elementwise: ReadonlySet<string> = new Set(["add", "sub", "mul", "div"]);

/**
 * The state inputs whose next values may take their place in memory, since whatever else reads such
 * an input comes before its next value does. In a training step that holds for all: the clipping of
 * gradients waits for every gradient, and every gradient for what reads the weights.
 */
export function overwritten(graph: Graph, state: StateNames): ReadonlySet<string> {
  const found = new Set<string>();
  const needed = ancestors([...graph.outputs.values()].map(({ node }) => node));
  for (const [name, output] of Object.entries(state)) {
    const [input, next] = [graph.inputs.get(name), graph.outputs.get(output ?? "")];
    if (input === undefined || next === undefined || next === input) continue;
    const earlier = ancestors([next.node]);
    const readers = readersOf(input, needed);
    if (readers.every((node) => (node === next.node ? isInPlace(node, next) : earlier.has(node))))
      found.add(name);
  }
  return found;
}

/** The nodes that read a tensor, also in another shape: reshaping copies nothing. */
function readersOf(tensor: Tensor, nodes: ReadonlySet<Node>): readonly Node[] {
  const direct = [...nodes].filter(({ inputs }) => inputs.includes(tensor));
  const reshaped = direct.filter(({ operator }) => operator.name === "reshape");
  return [
    ...direct,
    ...reshaped.flatMap(({ outputs }) => outputs.flatMap((output) => readersOf(output, nodes))),
  ];
}

function isInPlace({ operator, inputs }: Node, { shape }: Tensor): boolean {
  return (
    elementwise.has(operator.name) && inputs.every((input) => input.shape.join() === shape.join())
  );
}

/** These nodes and all on which they depend. */
function ancestors(nodes: readonly Node[]): ReadonlySet<Node> {
  const found = new Set<Node>();
  const open = [...nodes];
  for (let node = open.pop(); node !== undefined; node = open.pop()) {
    if (found.has(node)) continue;
    found.add(node);
    for (const { node: source } of node.inputs) open.push(source);
  }
  return found;
}
