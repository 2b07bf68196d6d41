/**
 * Virtual time: one queue of what is due, and one source of chance for how long everything takes.
 * Whoever waits is in the queue, and one event happens at a time, after all that the last one set
 * going has come to rest. So the order of everything is a function of the seed.
 */
import TinyQueue from "tinyqueue";
import type { Clock } from "../../src/foundation/clock.ts";
import type { Random } from "../../src/foundation/random.ts";
import type { Thread } from "../../src/foundation/turn.ts";

interface Due {
  readonly atMs: number;
  readonly order: number;
  readonly happen: () => void;
}

/** How long things take, in virtual milliseconds. */
export interface Pacing {
  readonly meanMs: number;
  /** The share of waits that are a hundred times as long. */
  readonly slowShare: number;
  /** The share of waits that outlast every deadline of a request. */
  readonly stalledShare: number;
}

/** Longer than `limits.requestWaitMsMax`, shorter than what a creation may take. */
const stallMs = 90_000;

export class VirtualTime {
  readonly #random: Random;
  readonly #pacing: Pacing;
  /** The earliest one first, and of those of one time the one that was planned first. */
  readonly #queue = new TinyQueue<Due>([], (a, b) => a.atMs - b.atMs || a.order - b.order);
  /** Saturday, 2026-02-28, 00:00 UTC. */
  #nowMs = 1_772_236_800_000;
  #order = 0;
  #eventCount = 0;
  isCalm = false;

  constructor(random: Random, pacing: Pacing) {
    this.#random = random;
    this.#pacing = pacing;
  }

  get nowMs(): number {
    return this.#nowMs;
  }

  /** Events that have happened: the step by which everything is dated. */
  get step(): number {
    return this.#eventCount;
  }

  /** How long the next thing takes; while it is calm, nothing stalls. */
  latencyMs(): number {
    const { meanMs, slowShare, stalledShare } = this.#pacing;
    const kind = this.#random.uniform();
    const latencyMs = -Math.log(1 - this.#random.uniform()) * meanMs;
    if (this.isCalm) return latencyMs;
    if (kind < stalledShare) return stallMs;
    return kind < stalledShare + slowShare ? 100 * latencyMs : latencyMs;
  }

  /** Whether a chance of this share comes true. */
  happens(share: number): boolean {
    return this.#random.uniform() < share;
  }

  after(delayMs: number, happen: () => void): void {
    this.#queue.push({ atMs: this.#nowMs + Math.max(0, delayMs), order: this.#order++, happen });
  }

  /** Lets the next thing happen, and what follows from it at once; false when nothing is due. */
  async advance(): Promise<boolean> {
    // What was set going outside of any event may still plan some.
    if (this.#queue.length === 0) await atRest();
    const due = this.#queue.pop();
    if (due === undefined) return false;
    // What came due while the machine was off happens when it is on again.
    this.#nowMs = Math.max(this.#nowMs, due.atMs);
    this.#eventCount += 1;
    due.happen();
    await atRest();
    return true;
  }

  /** Moves the time on, as when a machine is switched off for so long. */
  skip(delayMs: number): void {
    this.#nowMs += delayMs;
  }
}

/** Resolves when every promise has gone on that can do so without another event. */
function atRest(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

/** The time of one process: when it is killed, nothing that it waited for comes any more. */
export class Lifetime implements Clock, Thread {
  readonly #time: VirtualTime;
  #isOver = false;

  constructor(time: VirtualTime) {
    this.#time = time;
  }

  get isOver(): boolean {
    return this.#isOver;
  }

  end(): void {
    this.#isOver = true;
  }

  now(): number {
    return Math.floor(this.#time.nowMs);
  }

  monotonic(): number {
    return this.#time.nowMs;
  }

  schedule(delayMs: number, callback: () => void): () => void {
    let isCancelled = false;
    this.#time.after(delayMs, () => {
      if (!isCancelled && !this.#isOver) callback();
    });
    return () => {
      isCancelled = true;
    };
  }

  soon(callback: () => void): void {
    this.schedule(this.#time.latencyMs() / 10, callback);
  }

  /** A slice of work is over by chance, since no time passes while work is done. */
  nowMs(): number {
    return this.#time.nowMs + (this.#time.happens(0.02) ? 1_000 : 0);
  }

  /** Resolves after a while, times `factor`; never, when the process is killed before. */
  wait(factor = 1): Promise<void> {
    return new Promise((resolve) => this.schedule(factor * this.#time.latencyMs(), resolve));
  }
}
