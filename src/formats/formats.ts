/**
 * Formats of files: bytes that others wrote become tensors and tokenizers, and tensors become
 * bytes. Whatever reads here is strict, executes nothing, and knows neither where the bytes came
 * from nor what they are for.
 */
import type { Weight } from "../entities/weights.ts";
import type { Words } from "../entities/words.ts";
import type { Dtype } from "./dtypes.ts";

/** A file of named tensors, whose header is checked and whose numbers are read when asked for. */
export interface TensorFile {
  readonly metadata: Readonly<Record<string, string>>;
  readonly names: readonly string[];
  /** Undefined when there is no tensor of this name. */
  shape(name: string): readonly number[] | undefined;
  dtype(name: string): Dtype | undefined;
  /**
   * One tensor as float32; 64-bit numbers are rounded. Aligned F32 is a view of the file's bytes.
   * NOT_FOUND when there is none of this name.
   */
  tensor(name: string): Weight;
}

/** A tensor in the form in which a file shall hold it. */
export interface StoredTensor {
  readonly shape: readonly number[];
  /** Bytes are stored as I8. */
  readonly values: Float32Array | Int8Array;
  /** How floats are stored; F32 when absent. */
  readonly dtype?: "F32" | "F16";
}

/** Text to token ids, special tokens included. */
export interface Tokenizer {
  /** Ids of each text, cut at `tokensMax`; `isTruncated[i]` tells whether text i was cut. */
  encode(texts: readonly string[]): Promise<Encoded>;
  /** The same, with the words of each text that its tokens cover. */
  encodeWords(texts: readonly string[]): Promise<EncodedWords>;
  /**
   * Whether each list is a whole sequence as `encode` makes it, and no special token within: the
   * text that its tokens spell gives the same list again. Ids of other tokenizers do not.
   */
  isOwn(lists: readonly Int32Array[]): Promise<readonly boolean[]>;
  readonly vocabularySize: number;
  readonly padId: number;
  /** Undefined when it has no token that hides a word. */
  readonly maskId: number | undefined;
}

export interface Encoded {
  readonly ids: readonly Int32Array[];
  readonly isTruncated: readonly boolean[];
}

export interface EncodedWords extends Encoded {
  readonly words: readonly Words[];
}
