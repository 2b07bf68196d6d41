/** A checkpoint, opened: a folder in Hugging Face layout, read strictly and checked. */
import type { EncoderConfig, Pooling } from "../entities/base-model.ts";
import type { Weight } from "../entities/weights.ts";
import type { Digest } from "../foundation/digest.ts";
import type { Tokenizer } from "../formats/formats.ts";

/** A base model's files, opened. Weights have Hugging Face's names without the family's prefix. */
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
  tensors(): AsyncIterable<readonly [string, Weight]>;
  /** Its tokenizer, cutting at `tokensMax`: opened once, and shared by all who encode. */
  tokenizer(): Promise<Tokenizer>;
}
