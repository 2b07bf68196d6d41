/** Messages between a bench and its stage processes; numbers and tensors, as structured clones. */
import type { EncoderConfig, Precision } from "../src/entities/base-model.ts";
import type { LayerSpan } from "../src/models/stage-graph.ts";
import type { Results, Value } from "../src/runtime/runtime.ts";
import type { TypedValues } from "../src/tensor/tensor.ts";

/** A stage of one model. */
export interface StageModel {
  readonly config: EncoderConfig;
  readonly precision: Precision;
  readonly span: LayerSpan;
  /** Those that the span needs. */
  readonly weights: ReadonlyMap<string, TypedValues>;
}

/** A request on its way through the stages. */
export interface StageInput {
  /** Tokens of each sequence. */
  readonly ids: readonly Int32Array[];
  /** The states of the stage before; absent at the first. */
  readonly states?: Value;
}

export type StageCommand = { readonly id: number } & (
  | { readonly kind: "load"; readonly model: StageModel }
  | {
      readonly kind: "run";
      /** The program's number, in the order of loading. */
      readonly program: number;
      readonly input: StageInput;
    }
);

/** What a run answers; the results are empty after loading. */
export interface StageAnswer {
  readonly results: Results;
  /** The time from its receipt until it was its turn. */
  readonly waitSeconds: number;
  readonly busySeconds: number;
}

export type StageReply = { readonly id: number } & (
  | { readonly answer: StageAnswer }
  | { readonly error: string }
);
