/** Base models as small as they can be, for exams that compute nothing with them. */
import { digestOf } from "../foundation/digest.ts";
import type { BaseModel, EncoderConfig } from "./base-model.ts";

export const exampleConfig: EncoderConfig = {
  family: "bert",
  layerCount: 6,
  shallowLayerCount: 3,
  hiddenSize: 4,
  headCount: 2,
  intermediateSize: 8,
  vocabularySize: 10,
  positionCount: 16,
  segmentCount: 2,
  layerNormEpsilon: 1e-12,
};

/** A base of this name, whose digest is that of its name. */
export function exampleBase(id: string): BaseModel {
  return {
    id,
    config: exampleConfig,
    pooling: "mean",
    tokensMax: 16,
    digest: digestOf(id),
    source: `dir:${id}`,
    createdAt: 1,
  };
}
