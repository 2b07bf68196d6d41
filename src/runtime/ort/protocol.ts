/** Messages between the main thread and the worker that owns the ONNX Runtime sessions. */
import type { OnnxModel } from "../../tensor/onnx/to-onnx.ts";
import type { DataType } from "../../tensor/tensor.ts";
import type { Feeds, Results, StateNames } from "../runtime.ts";

export interface OrtOptions {
  /** Threads of one run. 1 runs in the worker itself. */
  readonly threadCount: number;
  /** How long idle threads spin before they sleep, in microseconds. */
  readonly spinUs: number;
}

/** A result of a run, before it is computed. */
export interface ResultType {
  readonly type: DataType;
  readonly shape: readonly number[];
}

export type OrtCommand =
  | {
      readonly kind: "load";
      readonly program: number;
      readonly model: OnnxModel;
      readonly state: StateNames;
      /** Inputs of `state` whose next values may take their place. */
      readonly overwritten: ReadonlySet<string>;
    }
  | {
      readonly kind: "run";
      readonly program: number;
      readonly feeds: Feeds;
      /** The results by name, of a program that replaces state. */
      readonly results: Readonly<Record<string, ResultType>> | undefined;
    }
  | { readonly kind: "write"; readonly program: number; readonly feeds: Feeds }
  | { readonly kind: "read"; readonly program: number; readonly names: readonly string[] }
  | { readonly kind: "release"; readonly program: number }
  | { readonly kind: "close" };

export interface OrtRequest {
  readonly id: number;
  readonly command: OrtCommand;
}

export type OrtReply =
  | { readonly id: number; readonly results: Results }
  | { readonly id: number; readonly error: string };

/** The buffers to hand over with a message: shared memory stays where it is. */
export function transfers(values: Feeds | Results): ArrayBuffer[] {
  const buffers = new Set<ArrayBuffer>();
  for (const value of Object.values(values)) {
    const arrays = value.kind === "value" ? [value.values] : [value.offsets, value.lengths];
    for (const { buffer } of arrays) if (buffer instanceof ArrayBuffer) buffers.add(buffer);
  }
  return [...buffers];
}
