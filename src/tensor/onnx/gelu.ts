/**
 * GELU in ONNX. Where its slope is asked for too, both come from one chain of elementwise nodes,
 * and wide tensors go through it piece by piece, so that what lies between stays in the cache.
 */
import type { Node, Tensor } from "../tensor.ts";
import type { Lowering } from "./lowering.ts";
import { microsoft, type OnnxNode } from "./model.ts";

/** Fewer columns than these are no piece: ONNX Runtime would run it in one thread. */
const pieceWidthMin = 384;

export function lowerGelu(lowering: Lowering, node: Node): void {
  const [x] = node.inputs as [Tensor]; // it takes one
  const [y = "", slope = ""] = lowering.outputsOf(node);
  const names = { x: lowering.name(x), y, slope };
  if (slope === "") {
    lowering.emit("Gelu", [names.x], { domain: microsoft, output: y });
    return;
  }
  const width = Number(x.shape.at(-1));
  const pieceCount = [8, 4, 2].find(
    (count) => width % count === 0 && width / count >= pieceWidthMin,
  );
  if (pieceCount === undefined) lowering.nodes.push(...chain(lowering, names));
  else inPieces(lowering, names, pieceCount);
}

type Names = Readonly<Record<"x" | "y" | "slope", string>>;

/** Scan reads the pieces, and writes the results, where they lie. */
function inPieces(lowering: Lowering, { x, y, slope }: Names, pieceCount: number): void {
  const piece = { x: `${y} piece`, y: `${y} piece y`, slope: `${y} piece slope` };
  const type = { type: "float32", shape: [`${y} size`] } as const;
  const body = {
    nodes: chain(lowering, piece),
    inputs: new Map([[piece.x, type]]),
    outputs: new Map([piece.y, piece.slope].map((name) => [name, type])),
    initializers: new Map<string, never>(),
  };
  const pieces = lowering.emit("Reshape", [x, lowering.integers([pieceCount, -1])]);
  const outputs = [`${y} pieces`, `${slope} pieces`] as const;
  const attributes = { body: { graph: body }, num_scan_inputs: { int: 1 } };
  lowering.nodes.push({ operator: "Scan", domain: "", inputs: [pieces], outputs, attributes });
  const shape = lowering.emit("Shape", [x]);
  const isLiteral = { allowzero: { int: 1 } };
  for (const [index, output] of [y, slope].entries())
    lowering.emit("Reshape", [outputs[index] ?? "", shape], { attributes: isLiteral, output });
}

/**
 * The nodes of both. With t = x / √2: Φ = (1 + erf t) / 2, y = x Φ, slope = Φ + t / exp(t²) / √π.
 * The quotient has the right limit where exp(t²) is infinite; HardSigmoid is (1 + e) / 2 in one
 * pass for e in -1 … 1.
 */
function chain(lowering: Lowering, { x, y, slope }: Names): readonly OnnxNode[] {
  const nodes: OnnxNode[] = [];
  const emit = (operator: string, inputs: readonly string[], output: string): string => {
    const isHalf = operator === "HardSigmoid";
    const attributes = isHalf ? { alpha: { float: 0.5 }, beta: { float: 0.5 } } : {};
    nodes.push({ operator, domain: "", inputs, outputs: [output], attributes });
    return output;
  };
  const t = emit("Mul", [x, lowering.float(Math.SQRT1_2)], `${y} t`);
  const cumulative = emit("HardSigmoid", [emit("Erf", [t], `${y} erf`)], `${y} cumulative`);
  emit("Mul", [x, cumulative], y);
  const power = emit("Exp", [emit("Mul", [t, t], `${y} square`)], `${y} power`);
  const tail = emit("Div", [t, power], `${y} tail`);
  const density = emit("Mul", [tail, lowering.float(1 / Math.sqrt(Math.PI))], `${y} density`);
  emit("Add", [cumulative, density], slope);
  return nodes;
}
