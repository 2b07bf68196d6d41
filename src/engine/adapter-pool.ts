/**
 * The weights of vPLMs that are resident: adapters and heads in shared memory, from which each
 * worker gathers what its batch needs. Entries are named by the digest of their blob. An entry is
 * pinned while a batch runs that needs it; unpinned ones leave, least recently used first, when
 * room is needed. Only this class writes the memory, and only where nothing is pinned.
 */
import {
  faultOfShapes,
  faultOfValues,
  shapesOf,
  type WeightShape,
  type Weights,
} from "../entities/weights.ts";
import { assert, present } from "../foundation/assert.ts";
import type { Digest } from "../foundation/digest.ts";
import { StrataError, wrapError } from "../foundation/errors.ts";
import type { Metrics } from "../foundation/telemetry.ts";
import type { PoolSpan, Resident } from "../lanes/lane.ts";

export interface WantedWeights {
  readonly blob: Digest;
  /** What the version that names the blob says of it: the same list for the same version. */
  readonly tensors: readonly WeightShape[];
  /** Ends the wait for the weights; whoever else waits for them goes on. */
  readonly signal?: AbortSignal | undefined;
}

interface Entry {
  readonly offset: number;
  readonly length: number;
  readonly spans: Resident;
  readonly shapes: ReadonlyMap<string, readonly number[]>;
  /** The last list of tensors that the entry was found to hold, which is a version's own. */
  checked: readonly WeightShape[];
  pinCount: number;
}

/** A load in progress, and who waits for it: when nobody does, it gives up its wait for room. */
interface Loading {
  readonly done: Promise<void>;
  askerCount: number;
}

export class AdapterPool {
  /** The pool's memory, which is shared. */
  readonly memory: Float32Array;
  readonly #load: (blob: Digest) => Promise<Weights>;
  readonly #metrics: Metrics;
  /** Entries in order of last use, the oldest first. */
  readonly #entries = new Map<Digest, Entry>();
  /** The same entries by offset. */
  readonly #layout: Entry[] = [];
  #usedLength = 0;
  /**
   * Loads by digest and expected shapes: each is read once, and refused for those who expect
   * others.
   */
  readonly #loading = new Map<string, Loading>();
  #waiting: (() => void)[] = [];

  constructor(options: {
    readonly bytes: number;
    readonly load: (blob: Digest) => Promise<Weights>;
    readonly metrics: Metrics;
  }) {
    this.memory = new Float32Array(new SharedArrayBuffer(options.bytes));
    this.#load = options.load;
    this.#metrics = options.metrics;
  }

  /**
   * Loads the weights if need be and pins them; waits while all room is pinned. CORRUPT when the
   * blob does not hold exactly the wanted tensors, or numbers that are not finite; UNSUPPORTED when
   * it is larger than the pool; the signal's reason when that is aborted.
   */
  async acquire(wanted: WantedWeights): Promise<Resident> {
    const { signal } = wanted;
    for (;;) {
      if (signal?.aborted === true) throw aborted(signal);
      const resident = this.pin(wanted);
      if (resident !== undefined) return resident;
      await this.#loaded(wanted);
    }
  }

  /** Whether the weights are resident now. */
  has(blob: Digest): boolean {
    return this.#entries.has(blob);
  }

  /** Pins what is resident, undefined otherwise; CORRUPT as `acquire`. */
  pin({ blob, tensors }: WantedWeights): Resident | undefined {
    const entry = this.#entries.get(blob);
    if (entry === undefined) return undefined;
    // What is resident is checked too: two versions may name one blob and differ in what they say.
    if (entry.checked !== tensors) refuse(blob, faultOfShapes(entry.shapes, tensors));
    entry.checked = tensors;
    entry.pinCount += 1;
    this.#entries.delete(blob);
    this.#entries.set(blob, entry);
    return entry.spans;
  }

  release(blob: Digest): void {
    const entry = present(this.#entries.get(blob), "A pinned entry stays resident");
    entry.pinCount -= 1;
    assert(entry.pinCount >= 0, "An entry is released as often as it was acquired");
    if (entry.pinCount === 0) this.#wake();
  }

  #wake(): void {
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const wake of waiting) wake();
  }

  async #loaded(wanted: WantedWeights): Promise<void> {
    const shapes = wanted.tensors.map(({ name, shape }) => `${name} ${shape.join(" ")}`);
    const key = `${wanted.blob} ${shapes.join()}`;
    const loading = this.#loading.get(key) ?? this.#start(key, wanted);
    loading.askerCount += 1;
    try {
      await unlessAborted(loading.done, wanted.signal);
    } finally {
      loading.askerCount -= 1;
      // Only a load in progress may have to give up.
      if (loading.askerCount === 0 && this.#loading.has(key)) this.#wake();
    }
  }

  #start(key: string, wanted: WantedWeights): Loading {
    const isWanted = (): boolean => loading.askerCount > 0;
    const done = this.#load(wanted.blob)
      .then((tensors) => this.#place(wanted, { tensors, isWanted }))
      .finally(() => this.#loading.delete(key));
    const loading: Loading = { done, askerCount: 0 };
    this.#loading.set(key, loading);
    return loading;
  }

  async #place(
    { blob, tensors: wanted }: WantedWeights,
    { tensors, isWanted }: { readonly tensors: Weights; isWanted(): boolean },
  ): Promise<void> {
    // Before any room is taken from others.
    refuse(blob, faultOfShapes(shapesOf(tensors), wanted) ?? faultOfValues(tensors));
    let length = 0;
    for (const { values } of tensors.values()) length += values.length;
    if (length > this.memory.length)
      throw new StrataError(
        "UNSUPPORTED",
        `Cannot load adapter: it takes ${length * 4} bytes, and the server's pool of adapters ` +
          `has ${this.memory.length * 4}`,
      );
    while (isWanted() && !this.#entries.has(blob)) {
      const index = this.#makeRoom(length);
      if (index !== undefined) return this.#insert(blob, { index, length, tensors, wanted });
      await new Promise<void>((resolve) => this.#waiting.push(resolve));
    }
  }

  #insert(
    blob: Digest,
    {
      index,
      length,
      tensors,
      wanted,
    }: {
      readonly index: number;
      readonly length: number;
      readonly tensors: Weights;
      readonly wanted: readonly WeightShape[];
    },
  ): void {
    const start = this.#endBefore(index);
    const spans = new Map<string, PoolSpan>();
    let offset = start;
    for (const [name, { values }] of tensors) {
      this.memory.set(values, offset);
      spans.set(name, { offset, length: values.length });
      offset += values.length;
    }
    const shapes = shapesOf(tensors);
    const entry = { offset: start, length, spans, shapes, checked: wanted, pinCount: 0 };
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
      if (this.#pinnedLength() + length > this.memory.length) return undefined;
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

  #pinnedLength(): number {
    let sum = 0;
    for (const entry of this.#layout) if (entry.pinCount > 0) sum += entry.length;
    return sum;
  }

  #firstUnpinned(): readonly [Digest, Entry] | undefined {
    for (const row of this.#entries) if (row[1].pinCount === 0) return row;
    return undefined;
  }

  /** The end of the entry before this place in the layout. */
  #endBefore(index: number): number {
    const before = this.#layout[index - 1];
    return before === undefined ? 0 : before.offset + before.length;
  }

  #setUsed(length: number): void {
    this.#usedLength = length;
    this.#metrics.set("strata_adapter_cache_bytes", length * Float32Array.BYTES_PER_ELEMENT);
  }
}

function refuse(blob: Digest, fault: string | undefined): void {
  if (fault !== undefined) throw new StrataError("CORRUPT", `Cannot load ${blob}: ${fault}`);
}

function aborted(signal: AbortSignal): StrataError {
  return wrapError(signal.reason, "CANCELLED", "Cannot load adapter");
}

/** The promise's outcome, or the signal's reason if that comes first. */
function unlessAborted<T>(promise: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (signal === undefined) return promise;
  return new Promise((resolve, reject) => {
    const abort = (): void => reject(aborted(signal));
    signal.addEventListener("abort", abort, { once: true });
    const settled = promise.then(resolve, reject);
    void settled.finally(() => signal.removeEventListener("abort", abort));
  });
}
