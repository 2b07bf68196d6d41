/**
 * `AdapterKind`: what is learned beside a frozen base, and where it acts. A kind declares its
 * tensors and writes itself down twice: for training, where one adapter serves the whole batch, and
 * for serving, where every sequence has its own. Implementations stand in `adapters/`; all of them
 * sit the exam in `lanes/exam-adapter-kind.ts`, where graphs can be run.
 *
 * Three promises make answers independent of the batch. A new adapter is the identity. The rank is
 * the first dimension of each tensor that depends on it, so that an adapter of a lower rank, or
 * none, is padded with zeros at the end; and zeros change nothing, to the last bit.
 *
 * All kinds meet in one serving graph: a kind shares with no other the name of a tensor, nor that
 * of a dimension which it leaves open beside those that it is given, as `loraPieces`.
 */
import type { AdapterKindName } from "../foundation/kind-names.ts";
import type { EncoderConfig } from "../entities/base-model.ts";
import type { AdapterSpecification } from "../entities/virtual-model.ts";
import type { WeightShape } from "../entities/weights.ts";
import type { Dimension } from "../tensor/dimension.ts";
import type { Graph, Tensor } from "../tensor/tensor.ts";
import type { LayerSites } from "./layer-sites.ts";
import type { LearnedTensor } from "./learned-tensor.ts";

/** What a graph depends on of an adapter: its rank is an open dimension. */
export type AdapterForm = Pick<AdapterSpecification, "kind" | "layers">;

/** An adapter of a kind that is known. */
export type AdapterSize = Omit<AdapterSpecification, "kind">;

export interface AdapterKind {
  readonly name: AdapterKindName;
  /** The rank that a job learns which names none, from 1 to `limits.adapterRankMax`. */
  readonly usualRank: number;
  /** An adapter's tensors, in the order in which they lie in a blob. */
  tensors(config: EncoderConfig, size: AdapterSize): readonly LearnedTensor[];
  /** One adapter for the whole batch. Declares inputs as `tensors` has them, with open `rank`. */
  shared(graph: Graph, config: EncoderConfig, layers: readonly number[]): LayerSites;
  /** Each row with its own adapter. Declares the inputs of `pooledTensors`, `[rows, …]`. */
  pooled(graph: Graph, config: EncoderConfig, place: PooledPlace): LayerSites;
  /**
   * Names and shapes, without `[rows]`, of the inputs of `pooled` where this is the highest rank of
   * the rows; 0 when none of them has an adapter of the kind.
   */
  pooledTensors(config: EncoderConfig, size: AdapterSize): readonly WeightShape[];
}

/** The sites at which adapters of a kind act in a served batch. */
export interface PooledPlace {
  readonly layers: readonly number[];
  /** Sequences in the batch, and tokens of each. */
  readonly batch: Dimension;
  readonly sequence: Dimension;
  /** int32 `[rows]`: the sequences that have adapters of the kind, each once. */
  readonly rows: Tensor;
}
