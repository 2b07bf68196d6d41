/**
 * The weights of vPLMs that are resident: adapters and heads in shared memory, from which each
 * worker gathers what its batch needs. Entries are named by the digest of their blob. An entry is
 * pinned from admission to answer; unpinned ones leave, least recently used first, when room is
 * needed. Only this class writes the memory, and only where nothing is pinned.
 */
import { assert, present } from "../foundation/assert.ts";
import type { Digest } from "../foundation/digest.ts";
import { StrataError } from "../foundation/errors.ts";
import type { Metrics } from "../foundation/telemetry.ts";

/** A tensor's place in the pool, counted in float32. */
export interface PoolSpan {
  readonly offset: number;
  readonly length: number;
}

/** A resident version's tensors by name. */
export type Resident = ReadonlyMap<string, PoolSpan>;

/** Tensors to make resident, in the order in which they shall lie. */
export type LoadedTensors = ReadonlyMap<string, Float32Array>;

interface Entry {
  readonly offset: number;
  readonly length: number;
  readonly spans: Resident;
  pinCount: number;
}

export class AdapterPool {
  /** Over shared memory. */
  readonly memory: Float32Array;
  readonly #load: (blob: Digest) => Promise<LoadedTensors>;
  readonly #metrics: Metrics;
  /** In order of last use, the oldest first. */
  readonly #entries = new Map<Digest, Entry>();
  /** The same entries by offset. */
  readonly #layout: Entry[] = [];
  #usedLength = 0;
  readonly #loading = new Map<Digest, Promise<void>>();
  #waiting: (() => void)[] = [];

  constructor(options: {
    readonly bytes: number;
    readonly load: (blob: Digest) => Promise<LoadedTensors>;
    readonly metrics: Metrics;
  }) {
    this.memory = new Float32Array(new SharedArrayBuffer(options.bytes));
    this.#load = options.load;
    this.#metrics = options.metrics;
  }

  /** Loads the version if need be and pins it; waits while all room is pinned. */
  async acquire(blob: Digest): Promise<Resident> {
    const isHit = this.#entries.has(blob);
    this.#metrics.count("strata_adapter_loads_total", { source: isHit ? "pool" : "store" });
    for (;;) {
      const entry = this.#entries.get(blob);
      if (entry !== undefined) {
        entry.pinCount += 1;
        this.#entries.delete(blob);
        this.#entries.set(blob, entry);
        return entry.spans;
      }
      await this.#loadOnce(blob);
    }
  }

  release(blob: Digest): void {
    const entry = present(this.#entries.get(blob), "A pinned entry stays resident");
    entry.pinCount -= 1;
    assert(entry.pinCount >= 0, "An entry is released as often as it was acquired");
    if (entry.pinCount > 0) return;
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const wake of waiting) wake();
  }

  #loadOnce(blob: Digest): Promise<void> {
    const known = this.#loading.get(blob);
    if (known !== undefined) return known;
    const loading = this.#loadInto(blob).finally(() => this.#loading.delete(blob));
    this.#loading.set(blob, loading);
    return loading;
  }

  async #loadInto(blob: Digest): Promise<void> {
    const tensors = await this.#load(blob);
    let length = 0;
    for (const values of tensors.values()) length += values.length;
    if (length > this.memory.length)
      throw new StrataError(
        "TOO_LARGE",
        `Cannot load adapter: expected at most ${this.memory.length * 4} bytes, got ${length * 4}`,
      );
    let index = this.#makeRoom(length);
    while (index === undefined) {
      await new Promise<void>((resolve) => this.#waiting.push(resolve));
      index = this.#makeRoom(length);
    }
    this.#insert(blob, { index, length, tensors });
  }

  #insert(
    blob: Digest,
    {
      index,
      length,
      tensors,
    }: {
      readonly index: number;
      readonly length: number;
      readonly tensors: LoadedTensors;
    },
  ): void {
    const start = this.#endBefore(index);
    const spans = new Map<string, PoolSpan>();
    let offset = start;
    for (const [name, values] of tensors) {
      this.memory.set(values, offset);
      spans.set(name, { offset, length: values.length });
      offset += values.length;
    }
    const entry = { offset: start, length, spans, pinCount: 0 };
    this.#entries.set(blob, entry);
    this.#layout.splice(index, 0, entry);
    this.#setUsed(this.#usedLength + length);
  }

  /** The place in the layout before which there is room; evicts, oldest first, until there is. */
  #makeRoom(length: number): number | undefined {
    for (;;) {
      if (this.memory.length - this.#usedLength >= length) {
        const index = this.#firstGap(length);
        if (index !== undefined) return index;
      }
      const victim = this.#firstUnpinned();
      if (victim === undefined) return undefined;
      const [blob, entry] = victim;
      this.#entries.delete(blob);
      this.#layout.splice(this.#layout.indexOf(entry), 1);
      this.#setUsed(this.#usedLength - entry.length);
    }
  }

  #firstGap(length: number): number | undefined {
    // Most of the time there is room behind the last entry.
    const count = this.#layout.length;
    if (this.memory.length - this.#endBefore(count) >= length) return count;
    const index = this.#layout.findIndex(
      (entry, place) => entry.offset - this.#endBefore(place) >= length,
    );
    return index < 0 ? undefined : index;
  }

  #firstUnpinned(): readonly [Digest, Entry] | undefined {
    for (const row of this.#entries) if (row[1].pinCount === 0) return row;
    return undefined;
  }

  /** Where the entry before this place in the layout ends. */
  #endBefore(index: number): number {
    const before = this.#layout[index - 1];
    return before === undefined ? 0 : before.offset + before.length;
  }

  #setUsed(length: number): void {
    this.#usedLength = length;
    this.#metrics.set("strata_adapter_cache_bytes", length * Float32Array.BYTES_PER_ELEMENT);
  }
}
