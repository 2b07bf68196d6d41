/**
 * `Runtime`: runs graphs on a device. A loaded graph is a `Program`; its inputs come with each run,
 * stay as state between runs, or are constants. Implementations: `ort/` (ONNX Runtime in a worker
 * thread) and `reference/` (float64, slow, the yardstick). Both sit the exam in `conformance.ts`.
 */
import { assert, present } from "../foundation/assert.ts";
import type { DataType, Graph, TypedValues } from "../tensor/tensor.ts";

export interface Runtime {
  /**
   * Does ahead what `load` does in this thread, for all runtimes of the kind. It serves a `load` of
   * the same objects, which is short then; the graph must not grow in between.
   */
  prepare(graph: Graph, constants: Constants): void;
  /** INVALID_ARGUMENT when an output of the graph needs an operator that the device lacks. */
  load(graph: Graph, options?: LoadOptions): Promise<Program>;
  /** Waits for what runs, then frees everything. */
  close(): Promise<void>;
}

export interface LoadOptions {
  /** Inputs of the graph that are fixed now, by name; what is large belongs in shared memory. */
  readonly constants?: Constants;
  /**
   * Inputs that keep their value between runs, by name: each is replaced after a run by the output
   * that is named here, which is then not among the results; null keeps it until it is written.
   */
  readonly state?: StateNames;
}

export type Constants = ReadonlyMap<string, TypedValues>;

export type StateNames = Readonly<Record<string, string | null>>;

export interface Program {
  /**
   * Runs once; runs of one runtime follow each other in order. INVALID_ARGUMENT when a feed is
   * missing, unknown, or has another type or shape than the graph. The buffers of feeds are handed
   * over and may not be used afterwards, except those in shared memory.
   */
  run(feeds: Feeds): Promise<Results>;
  /** Sets values of state inputs; the buffers are handed over. */
  write(values: Feeds): Promise<void>;
  /** Copies of values of state inputs. */
  read(names: readonly string[]): Promise<Results>;
  /** Frees the program, which whoever has loaded it owes: it holds its constants until then. */
  release(): Promise<void>;
}

/** What `work` gives by a program of its own, which is released when that has ended. */
export async function withProgram<T>(
  loading: Promise<Program>,
  work: (program: Program) => Promise<T>,
): Promise<T> {
  const program = await loading;
  try {
    return await work(program);
  } finally {
    await program.release();
  }
}

export interface Value {
  readonly kind: "value";
  readonly type: DataType;
  readonly shape: readonly number[];
  readonly values: TypedValues;
}

/**
 * A float32 value `[offsets.length, …]` that is gathered when the run starts: row i is
 * `pool[offsets[i] … offsets[i] + lengths[i])`, and zeros up to the row's size.
 */
export interface GatheredValue {
  readonly kind: "gathered";
  readonly type: "float32";
  readonly shape: readonly number[];
  /** Shared memory, which the runtime reads and never writes. */
  readonly pool: Float32Array;
  readonly offsets: Uint32Array;
  readonly lengths: Uint32Array;
}

/** What a run may be given for an input. */
export type Feed = Value | GatheredValue;
export type Feeds = Readonly<Record<string, Feed>>;
export type Results = Readonly<Record<string, Value>>;

/** Numbers that are known to be floats; a weight is of this form. */
export interface Floats {
  readonly shape: readonly number[];
  readonly values: Float32Array;
}

/** The result of this name; every graph knows whether its outputs are floats. */
export function float32Result(results: Results, name: string): Floats {
  return floatsOf(present(results[name], `"${name}" is an output of the graph`), name);
}

/** A value that is known to be of floats, without its tags. */
export function floatsOf({ shape, values }: Value, name: string): Floats {
  assert(values instanceof Float32Array, `"${name}" is of floats`);
  return { shape, values };
}

/** The value of these floats, whose buffer it shares. */
export function valueOfFloats({ shape, values }: Floats): Value {
  return { kind: "value", type: "float32", shape, values };
}

/** The rows of a gathered value, one after another. */
export function gatherRows({ shape, pool, offsets, lengths }: GatheredValue): Float32Array {
  const rowLength = shape.slice(1).reduce((size, dimension) => size * dimension, 1);
  const rows = new Float32Array(offsets.length * rowLength);
  for (const [row, offset] of offsets.entries()) {
    const length = lengths[row] ?? 0;
    rows.set(pool.subarray(offset, offset + length), row * rowLength);
  }
  return rows;
}
