/** Bringing base models in: a checkpoint folder in Hugging Face layout, read and checked. */
import type { EncoderConfig, Pooling } from "../entities/base-model.ts";
import type { Digest } from "../foundation/digest.ts";

/** A base model's files, opened. Weights have Hugging Face's names without the `bert.` prefix. */
export interface Checkpoint {
  readonly config: EncoderConfig;
  readonly pooling: Pooling;
  /** Longest sequence that it was trained for, special tokens included. */
  readonly tokensMax: number;
  /** Digests of its files by path. */
  readonly files: ReadonlyMap<string, Digest>;
  /** Digest over the digests of its files. */
  readonly digest: Digest;
  /** Absolute path of the folder. */
  readonly folder: string;
  /**
   * The tensors that `config` promises as float32, each in a buffer of its own, in the order of the
   * file, which is read once. CORRUPT when a number is not finite, and at the end when the bytes
   * are not those of `files`: nothing of them may be used then.
   */
  tensors(): AsyncIterable<readonly [string, CheckpointTensor]>;
  /** Its tokenizer, cutting at `tokensMax`: opened once, and shared by all who encode. */
  tokenizer(): Promise<Tokenizer>;
}

export interface CheckpointTensor {
  readonly shape: readonly number[];
  readonly values: Float32Array;
}

/** Text to token ids, special tokens included. */
export interface Tokenizer {
  /** Ids of each text, cut at `tokensMax`; `isTruncated[i]` tells whether text i was cut. */
  encode(texts: readonly string[]): Promise<Encoded>;
  /**
   * Whether each list is a whole sequence as `encode` makes it, and no special token within: the
   * text that its tokens spell gives the same list again. Ids of other tokenizers do not.
   */
  isOwn(lists: readonly Int32Array[]): Promise<readonly boolean[]>;
  readonly vocabularySize: number;
  readonly padId: number;
}

export interface Encoded {
  readonly ids: readonly Int32Array[];
  readonly isTruncated: readonly boolean[];
}
