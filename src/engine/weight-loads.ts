/**
 * The weights that waiting sequences need: which are there, which are loaded next, and their pins.
 * A pin begins when its sequence is scheduled. What had to be loaded is held from then on, as far
 * as `chooseLoads` says, or loads of others would take it away before its sequence has run.
 */
import { elementCount } from "../foundation/element-count.ts";
import { assert, present } from "../foundation/assert.ts";
import type { Clock } from "../foundation/clock.ts";
import type { Metrics } from "../foundation/telemetry.ts";
import { type AwaitedWeights, chooseLoads } from "../scheduling/loads.ts";
import type { AdapterPool, WantedWeights } from "./adapter-pool.ts";
import type { Resident } from "../lanes/lane.ts";

/** A sequence, as far as its weights are concerned. */
export interface Needing {
  /** Those of one request are one object; undefined for a bare base. */
  readonly weights: WantedWeights | undefined;
  readonly enqueuedMs: number;
}

export interface WeightLoadsOptions<S> {
  readonly pool: AdapterPool;
  readonly clock: Clock;
  readonly metrics: Metrics;
  /** The sequences can run from now on. */
  onReady(sequences: ReadonlySet<S>): void;
  /** The sequences will never run. */
  onFailed(sequences: ReadonlySet<S>, error: unknown): void;
}

/** Weights of one request, while a sequence of it waits. */
interface Awaited<S> extends AwaitedWeights {
  state: AwaitedWeights["state"];
  readonly wanted: WantedWeights;
  readonly sequences: Set<S>;
  /** Ends the load when nobody waits for it any more. */
  readonly abort: AbortController;
  /** The time at which the weights came; undefined if they were there before. */
  readyMs: number | undefined;
}

export type PinOutcome =
  | {
      readonly kind: "pinned";
      readonly resident: Resident | undefined;
      /** How long the sequence waited for its weights. */
      readonly loadMs: number;
    }
  /** The weights are not what the version says. */
  | { readonly kind: "failed"; readonly error: unknown };

/** This many weights are loaded at once, or held for the next batches. */
const [loadCountMin, loadCountMax] = [4, 64];
/** The share of the pool for those that are loaded or held; the rest is for batches that run. */
const loadShare = 0.5;
/** Only the first in line are looked at. */
const lineCountMax = 1_024;

export class WeightLoads<S extends Needing> {
  readonly #options: WeightLoadsOptions<S>;
  readonly #awaited = new Map<WantedWeights, Awaited<S>>();

  constructor(options: WeightLoadsOptions<S>) {
    this.#options = options;
  }

  /** The sequence begins to wait. */
  add(sequence: S): void {
    const { weights } = sequence;
    if (weights === undefined) return;
    const awaited = this.#awaited.get(weights) ?? this.#begin(weights);
    awaited.sequences.add(sequence);
  }

  /** The sequence waits no more. */
  drop(sequence: S): void {
    const { weights } = sequence;
    const awaited = weights && this.#awaited.get(weights);
    if (awaited?.sequences.delete(sequence) !== true || awaited.sequences.size > 0) return;
    this.#awaited.delete(awaited.wanted);
    if (awaited.state === "held") this.release(awaited.wanted);
    if (awaited.state === "loading") awaited.abort.abort();
  }

  isReady({ weights }: S): boolean {
    return weights === undefined || this.#options.pool.has(weights.blob);
  }

  /** Loads what the first of those who wait need. */
  advance(waiting: readonly S[]): void {
    if (this.#awaited.size === 0) return;
    const { pool } = this.#options;
    const inLine = new Set<Awaited<S>>();
    for (const { weights } of waiting.slice(0, lineCountMax)) {
      const awaited = weights && this.#awaited.get(weights);
      if (awaited === undefined) continue;
      if (awaited.state !== "absent" || !pool.has(awaited.wanted.blob)) inLine.add(awaited);
    }
    if (inLine.size === 0) return;
    const bytesMax = pool.memory.byteLength * loadShare;
    const loadLimits = { countMin: loadCountMin, countMax: loadCountMax, bytesMax };
    const chosen = chooseLoads([...inLine], loadLimits);
    for (const awaited of chosen.letGo) {
      awaited.state = "absent";
      this.release(awaited.wanted);
    }
    for (const awaited of chosen.begin) void this.#load(awaited);
  }

  /** Pins what a ready sequence needs, which waits no more. */
  pin(sequence: S): PinOutcome {
    const { weights, enqueuedMs } = sequence;
    if (weights === undefined) return { kind: "pinned", resident: undefined, loadMs: 0 };
    const { readyMs = enqueuedMs } = present(this.#awaited.get(weights), "it waits");
    try {
      const resident = this.#options.pool.pin(weights);
      assert(resident !== undefined, "Only what is ready is scheduled");
      return { kind: "pinned", resident, loadMs: Math.max(0, readyMs - enqueuedMs) };
    } catch (error) {
      return { kind: "failed", error };
    } finally {
      this.drop(sequence);
    }
  }

  release(weights: WantedWeights): void {
    this.#options.pool.release(weights.blob);
  }

  #begin(wanted: WantedWeights): Awaited<S> {
    const { pool, metrics } = this.#options;
    const source = pool.has(wanted.blob) ? "pool" : "store";
    metrics.count("strata_adapter_loads_total", { source });
    const awaited: Awaited<S> = {
      wanted,
      bytes: bytesOf(wanted),
      state: "absent",
      sequences: new Set(),
      abort: new AbortController(),
      readyMs: undefined,
    };
    this.#awaited.set(wanted, awaited);
    return awaited;
  }

  async #load(awaited: Awaited<S>): Promise<void> {
    const { pool, clock, onReady, onFailed } = this.#options;
    const { wanted, sequences, abort } = awaited;
    awaited.state = "loading";
    try {
      await pool.acquire({ ...wanted, signal: abort.signal });
    } catch (error) {
      awaited.state = "absent";
      if (!abort.signal.aborted) onFailed(sequences, error);
      return;
    }
    // It may have come although nobody waits for it any more.
    if (abort.signal.aborted) return this.release(wanted);
    awaited.state = "held";
    awaited.readyMs = clock.monotonic();
    onReady(sequences);
  }
}

function bytesOf({ tensors }: WantedWeights): number {
  let count = 0;
  for (const { shape } of tensors) count += elementCount(shape);
  return count * Float32Array.BYTES_PER_ELEMENT;
}
