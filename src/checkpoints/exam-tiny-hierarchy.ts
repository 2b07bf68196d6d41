/** What a hierarchical form of the tiny checkpoint holds, cut above its first layer. */
import { elementCount } from "../foundation/element-count.ts";
import type { Weight } from "../entities/weights.ts";

/** Its tri-gram part. */
export function tinyHierarchy(): Map<string, Weight> {
  const shapes: Record<string, number[]> = {
    "ngram.embeddings.position": [3, 4],
    "ngram.embeddings.segment": [4],
    "ngram.embeddings.norm.gain": [4],
    "ngram.embeddings.norm.bias": [4],
    "ngram.gate.weight": [4, 1],
    "ngram.gate.bias": [1],
    "ngram.merge.position": [10, 4],
    "ngram.merge.norm.gain": [4],
    "ngram.merge.norm.bias": [4],
    ...layerShapes("ngram.layer.0"),
  };
  return tensorsOf(shapes);
}

/** Upper layers of its own. */
export function tinyUpper(): Map<string, Weight> {
  return tensorsOf({ ...layerShapes("layer.1"), ...layerShapes("layer.2") });
}

function layerShapes(layer: string): Record<string, number[]> {
  const shapes: Record<string, number[]> = {};
  for (const norm of ["attention", "outer"])
    for (const part of ["gain", "bias"]) shapes[`${layer}.${norm}.norm.${part}`] = [4];
  const linears = { query: [4, 4], key: [4, 4], value: [4, 4], attention: [4, 4] };
  for (const [name, shape] of Object.entries({ ...linears, inner: [4, 6], outer: [6, 4] })) {
    shapes[`${layer}.${name}.weight`] = shape;
    shapes[`${layer}.${name}.bias`] = shape.slice(1);
  }
  return shapes;
}

function tensorsOf(shapes: Readonly<Record<string, number[]>>): Map<string, Weight> {
  const tensors = Object.entries(shapes).map(([name, shape], index) => {
    const count = elementCount(shape);
    return [name, { shape, values: new Float32Array(count).fill(index / 8) }] as const;
  });
  return new Map(tensors);
}
