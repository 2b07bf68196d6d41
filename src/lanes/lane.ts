/**
 * `Lane`: what may share one batch. Sequences of different lanes never meet in a batch, and share
 * the workers by flow. A lane knows on which program its rows run, how they become feeds, and how
 * results become answers; the engine knows nothing of what is asked.
 */
import type { Pooling } from "../entities/base-model.ts";
import type { AdapterSpecification, BaseForm } from "../entities/virtual-model.ts";
import type { AdapterForm } from "../models/adapter-kind.ts";
import type { Feeds, Results } from "../runtime/runtime.ts";
import type { Graph, TypedValues } from "../tensor/tensor.ts";

export interface Lane<Answer = unknown> {
  /** Names what all its rows have in common: base, form, task, precision. */
  readonly key: string;
  /** Milliseconds per token of one worker in full batches, to begin with. */
  readonly msPerToken: number;
  /** What its graphs compute of a base: versions of another form are refused. */
  readonly form: BaseForm;
  /** Those that its rows may bring: versions with others are refused, never answered without. */
  readonly adapters: readonly AdapterForm[];
  /** The program that these rows run on: the same object whenever it is the same program. */
  programFor(rows: readonly BatchRow[]): LaneProgram;
  /** What that program is fed for these rows. */
  feeds(rows: readonly BatchRow[]): Feeds;
  /** One answer per row; undefined for a row whose numbers are not finite. */
  answers(results: Results, rows: readonly BatchRow[]): readonly (Answer | undefined)[];
}

/** A sequence as a row of a batch. */
export interface BatchRow extends WeightRow {
  readonly ids: Int32Array;
  readonly pooling: Pooling;
}

/** What a sequence's weights are, and where they lie. */
export interface WeightRow {
  /** Undefined without an adapter. */
  readonly adapter: AdapterSpecification | undefined;
  /** 0 without a head. */
  readonly outputCount: number;
  /** Absent for a bare base model. */
  readonly resident: Resident | undefined;
}

/** A resident version's tensors by name. */
export type Resident = ReadonlyMap<string, PoolSpan>;

/** A tensor's place in the pool, counted in float32. */
export interface PoolSpan {
  readonly offset: number;
  readonly length: number;
}

/** A graph with the weights of a base, to be loaded by each worker that runs it. */
export interface LaneProgram {
  readonly graph: Graph;
  readonly constants: ReadonlyMap<string, TypedValues>;
}
