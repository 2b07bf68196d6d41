/**
 * `Family`: a kind of encoder. It says how a checkpoint of its kind is written, and gives its
 * embeddings and its layers as graphs, from which `encoder.ts` makes the parts. Each family is one
 * file of `families/`, and sits the exam in `checkpoints/families/conformance.ts`.
 */
import type { FamilyName } from "../foundation/kind-names.ts";
import type { EncoderConfig, SpecialTokens } from "../entities/base-model.ts";
import type { Dimension } from "../tensor/dimension.ts";
import type { Tensor } from "../tensor/tensor.ts";
import type { WeightRole } from "./declared-weight.ts";
import type { EncoderScope } from "./encoder-scope.ts";

export interface Family {
  readonly name: FamilyName;
  readonly checkpoint: CheckpointLayout;
  readonly specialTokens: SpecialTokens;
  /** Whether tri-grams can replace its shallow part; their id 0 stands for what is no token. */
  readonly hasHierarchicalForm: boolean;
  /** int32 ids `[batch, sequence]` to the first layer's state, `[batch*sequence, hidden]`. */
  embeddings(scope: EncoderScope, ids: Tensor): Tensor;
  /** One layer, which asks the sites: its state before and after, `[batch*sequence, hidden]`. */
  layer(scope: EncoderScope, inputs: LayerInputs): Tensor;
}

export interface LayerInputs {
  readonly state: Tensor;
  /** The layer's number, from 0. */
  readonly layer: number;
  /** int64 `[batch]`: tokens of each sequence. */
  readonly lengths: Tensor;
  /** Size of the sequence axis. */
  readonly sequence: Dimension;
}

/** What of an encoder is a number that its checkpoint tells. */
export type SizeName = Exclude<keyof EncoderConfig, "family" | "shallowLayerCount">;

/** How checkpoints of the family are written, in the terms of Hugging Face. */
export interface CheckpointLayout {
  /** What stands before all names in a checkpoint that has a head too; it may be absent. */
  readonly prefix: string;
  /** Each size of an encoder: the name of its field in `config.json`, or what it always is. */
  readonly sizes: Readonly<Record<SizeName, string | number>>;
  /** Fields of `config.json` with the one value that the graphs compute, which is the default. */
  readonly fixedFields: Readonly<Record<string, string | number | boolean>>;
  /** How many rows at the beginning of the table of positions belong to no place of a text. */
  readonly unusedPositionCount: number;
  /** All tensors that the graphs need. */
  tensors(config: EncoderConfig): readonly CheckpointEntry[];
}

/** A tensor of a checkpoint and what becomes of it. */
export interface CheckpointEntry {
  /** Its name in the checkpoint, without the prefix. */
  readonly source: string;
  /** What older checkpoints call it. */
  readonly olderSource?: string;
  readonly shape: readonly number[];
  /** The input of the graphs; that of a linear layer, whose matrix has several forms. */
  readonly name: string;
  /** A matrix `[out, in]` is prepared in all its forms, others are taken as they are. */
  readonly role: WeightRole;
  /** Whether a matrix in int8 keeps some rows in float32. */
  readonly keepsRows?: boolean;
  /** The first row that is taken and the one after the last; all when absent. */
  readonly rows?: readonly [number, number];
}
