/** Reverse-mode differentiation: the derivative is written as more of the same graph. */
import { showShape } from "./dimension.ts";
import { add } from "./operators/elementwise.ts";
import { zerosOf } from "./operators/shape.ts";
import { type Node, reject, type Tensor } from "./tensor.ts";

/**
 * The gradients of a scalar `loss` by each of `parameters`, in their order and shapes; zeros where
 * the loss does not depend on one. INVALID_ARGUMENT when a node between them has no derivative.
 */
export function gradient(loss: Tensor, parameters: readonly Tensor[]): readonly Tensor[] {
  if (loss.shape.length > 0)
    throw reject("gradient", `the loss must be a scalar, got ${showShape(loss.shape)}`);
  const graph = loss.node.graph;
  const needed = dependents(loss, parameters);
  const gradients = new Map<Tensor, Tensor>([[loss, graph.scalar(1)]]);
  // Nodes are in topological order, so that every use of a node comes before it here.
  for (const node of needed.toReversed()) {
    const outputGradients = node.outputs.map((output) => gradients.get(output));
    if (outputGradients.every((known) => known === undefined)) continue;
    const { gradient: rule } = node.operator;
    if (rule === undefined) throw reject("gradient", `"${node.operator.name}" has no derivative`);
    rule(node, outputGradients).forEach((term, index) => {
      const input = node.inputs[index];
      if (term === undefined || input === undefined) return;
      const known = gradients.get(input);
      gradients.set(input, known === undefined ? term : add(known, term));
    });
  }
  return parameters.map((parameter) => gradients.get(parameter) ?? zerosOf(graph, parameter.shape));
}

/** The nodes through which the loss depends on a parameter, in order; inputs are not among them. */
function dependents(loss: Tensor, parameters: readonly Tensor[]): readonly Node[] {
  const isDependent = new Set<Node>(parameters.map(({ node }) => node));
  const found: Node[] = [];
  for (const node of loss.node.graph.nodes.slice(0, loss.node.id + 1)) {
    if (!node.inputs.some((input) => isDependent.has(input.node))) continue;
    isDependent.add(node);
    found.push(node);
  }
  return found;
}
