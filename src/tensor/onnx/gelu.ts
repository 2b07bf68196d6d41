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
  const pieceCount = pieceCountOf(x);
  if (slope === "") lowering.emit("Gelu", [names.x], { domain: microsoft, output: y });
  else if (pieceCount === 1) lowering.nodes.push(...chain(lowering, names));
  else inPieces(lowering, names, { x, pieceCount });
}

/**
 * Whether GELU adds the bias of a linear layer, of which `x` is the output. ONNX Runtime writes a
 * product's bias to all rows first, in one thread: a fifth of the time of a wide product.
 */
export function addsBias(lowering: Lowering, x: Tensor): boolean {
  if (x.node.operator.name !== "linear" || pieceCountOf(x) === 1) return false;
  const reader = lowering.onlyReaderOf(x);
  const slope = reader?.operator.name === "gelu" ? reader.outputs[1] : undefined;
  return slope !== undefined && lowering.isUsed(slope);
}

/**
 * The factor of a linear layer's product, which costs nothing: before a GELU that adds its bias it
 * is 1 / √2, so that t comes out, and √2 after one of which it alone reads the result.
 */
export function productFactor(lowering: Lowering, { inputs, outputs }: Node): number {
  const [x, y] = [inputs[0], outputs[0]];
  const before = y !== undefined && isScaled(lowering, y) ? Math.SQRT1_2 : 1;
  const [source] = x?.node.operator.name === "gelu" && x.output === 0 ? x.node.inputs : [];
  return source !== undefined && isScaled(lowering, source) ? before * Math.SQRT2 : before;
}

/** Whether the GELU of `x` gets x / √2 and gives y / √2. */
function isScaled(lowering: Lowering, x: Tensor): boolean {
  const [y] = addsBias(lowering, x) ? (lowering.onlyReaderOf(x)?.outputs ?? []) : [];
  const reader = y && lowering.onlyReaderOf(y);
  return reader?.operator.name === "linear" && reader.inputs[0] === y;
}

function pieceCountOf(x: Tensor): number {
  const width = Number(x.shape.at(-1));
  const fits = (count: number): boolean => width % count === 0 && width / count >= pieceWidthMin;
  return [8, 4, 2].find(fits) ?? 1;
}

type Names = Readonly<Record<"x" | "y" | "slope", string>>;

interface Pieces {
  readonly x: Tensor;
  readonly pieceCount: number;
}

/** What the chain does for the products around it; see `addsBias` and `productFactor`. */
interface Shared {
  readonly bias: string;
  readonly isScaled: boolean;
}

/** Scan reads the pieces, and writes the results, where they lie. */
function inPieces(lowering: Lowering, names: Names, { x, pieceCount }: Pieces): void {
  const { y, slope } = names;
  const piece = { x: `${y} piece`, y: `${y} piece y`, slope: `${y} piece slope` };
  const bias = addsBias(lowering, x) ? x.node.inputs[2] : undefined;
  const shape = bias === undefined ? [`${y} size`] : [`${y} size`, ...bias.shape];
  const type = { type: "float32", shape } as const;
  const body = {
    nodes: chain(lowering, piece, bias && sharedWith(lowering, x, bias)),
    inputs: new Map([[piece.x, type]]),
    outputs: new Map([piece.y, piece.slope].map((name) => [name, type])),
    initializers: new Map<string, never>(),
  };
  const target =
    bias === undefined
      ? lowering.integers([pieceCount, -1])
      : piecesOfRows(lowering, { x, pieceCount });
  const pieces = lowering.emit("Reshape", [names.x, target]);
  const outputs = [`${y} pieces`, `${slope} pieces`] as const;
  const attributes = { body: { graph: body }, num_scan_inputs: { int: 1 } };
  lowering.nodes.push({ operator: "Scan", domain: "", inputs: [pieces], outputs, attributes });
  const whole = lowering.emit("Shape", [names.x]);
  const isLiteral = { allowzero: { int: 1 } };
  for (const [index, output] of [y, slope].entries())
    lowering.emit("Reshape", [outputs[index] ?? "", whole], { attributes: isLiteral, output });
}

function sharedWith(lowering: Lowering, x: Tensor, bias: Tensor): Shared {
  const name = lowering.name(bias);
  if (!isScaled(lowering, x)) return { bias: name, isScaled: false };
  return { bias: lowering.emit("Mul", [name, lowering.float(Math.SQRT1_2)]), isScaled: true };
}

/** The shape `[pieces, rows / pieces, width]`, of as many pieces as divide the rows. */
function piecesOfRows(lowering: Lowering, { x: { shape }, pieceCount }: Pieces): string {
  const [rows = 0, width = 0] = shape;
  return lowering.once(`pieces ${rows} ${width}`, () => {
    // The largest common divisor of the rows and the pieces, by the remainder.
    const divisors = Array.from({ length: pieceCount }, (_, rest) =>
      [8, 4, 2, 1].find((count) => pieceCount % count === 0 && rest % count === 0),
    );
    const rest = lowering.emit("Mod", [lowering.dimension(rows), lowering.integers([pieceCount])]);
    const count = lowering.emit("Gather", [lowering.integers(divisors.map(Number)), rest]);
    const parts = [count, lowering.integers([-1]), lowering.dimension(width)];
    return lowering.emit("Concat", parts, { attributes: { axis: { int: 0 } } });
  });
}

/**
 * The nodes of both. With t = x / √2: Φ = (1 + erf t) / 2, y = x Φ, slope = Φ + t / exp(t²) / √π.
 * The quotient has the right limit where exp(t²) is infinite; HardSigmoid is (1 + e) / 2 in one
 * pass for e in -1 … 1.
 */
function chain(lowering: Lowering, names: Names, shared?: Shared): readonly OnnxNode[] {
  const { y, slope } = names;
  const nodes: OnnxNode[] = [];
  const emit = (operator: string, inputs: readonly string[], output: string): string => {
    const isHalf = operator === "HardSigmoid";
    const attributes = isHalf ? { alpha: { float: 0.5 }, beta: { float: 0.5 } } : {};
    nodes.push({ operator, domain: "", inputs, outputs: [output], attributes });
    return output;
  };
  const x = shared === undefined ? names.x : emit("Add", [names.x, shared.bias], `${y} biased`);
  const t =
    shared?.isScaled === true ? x : emit("Mul", [x, lowering.float(Math.SQRT1_2)], `${y} t`);
  const cumulative = emit("HardSigmoid", [emit("Erf", [t], `${y} erf`)], `${y} cumulative`);
  emit("Mul", [x, cumulative], y);
  const power = emit("Exp", [emit("Mul", [t, t], `${y} square`)], `${y} power`);
  const tail = emit("Div", [t, power], `${y} tail`);
  const density = emit("Mul", [tail, lowering.float(1 / Math.sqrt(Math.PI))], `${y} density`);
  emit("Add", [cumulative, density], slope);
  return nodes;
}
