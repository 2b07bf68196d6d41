/**
 * Knowledge: token states that are looked up instead of computed. The shallow part of a
 * hierarchical base sees three tokens at a time, so that what it makes of an n-gram can be kept in
 * a lookup table; domains form a tree and keep only what differs from their parents. The id 0, a
 * pad, stands for what lies outside a text. Sources: SkipBERT (Wang et al., ACL 2022), HMI (Zhang
 * et al. 2025).
 */
import type { TableRows } from "./table-rows.ts";

export interface Knowledge {
  /** What the lookups' table numbers stand for. Over shared memory: any thread may gather. */
  readonly rows: readonly TableRows[];
  /** Finds the row of every position's tri-gram, in one pass over the batch. */
  lookUp(batch: TokenBatch, missRule: MissRule): Lookup;
}

/** Token ids of several sequences in one array, packed or padded. */
export interface TokenBatch {
  readonly ids: Int32Array;
  readonly spans: readonly SequenceSpan[];
}

/** A sequence: `ids[start … start + length)`. What surrounds it is none of its n-grams' concern. */
export interface SequenceSpan {
  readonly start: number;
  readonly length: number;
  /** Number of its domain in the tree. */
  readonly domain: number;
}

/**
 * What becomes of a tri-gram (a, b, c) that no table of the sequence's domain holds: `backoff`
 * takes the bi-gram (0, b, c), then (a, b, 0), then the uni-gram (0, b, 0), then zeros; `compute`
 * reports it.
 */
export type MissRule = "backoff" | "compute";

export interface Lookup {
  readonly spans: readonly SequenceSpan[];
  /** The table of each position, or the number of tables for an n-gram of `misses`. */
  readonly tables: Uint16Array;
  /** The row of each position in its table; 0 is all zeros. Row n of the misses is n-gram n - 1. */
  readonly rows: Uint32Array;
  /** `[count, 3]`: each n-gram of the batch that is to be computed, once. */
  readonly misses: Int32Array;
  readonly hits: HitCounts;
}

/** How many positions were answered by what; their sum is the number of tokens. */
export interface HitCounts {
  readonly trigram: number;
  readonly bigram: number;
  readonly unigram: number;
  readonly none: number;
}

/** Computes what tables keep: of n-grams `[count, 3]` the gated slots `[count, 3, hidden]`. */
export type NgramEncoder = (ngrams: Int32Array) => Promise<Float32Array>;
