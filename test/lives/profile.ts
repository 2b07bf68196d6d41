/** What kind of world a seed has: how fast it is, how many ask, and how often what breaks. */
import { SeededRandom } from "../../src/foundation/random.ts";
import type { FaultShares } from "./faults.ts";
import type { Pacing } from "./virtual-time.ts";

export interface Profile {
  readonly pacing: Pacing;
  readonly shares: FaultShares;
  /** How many times as long as other things a batch takes: behind slow ones others gather. */
  readonly slowness: number;
  /** The room for resident weights; that of one or two versions lets each evict another. */
  readonly poolBytes: number;
  readonly clientCount: number;
  /** Pauses of a client between two operations, in virtual milliseconds. */
  readonly thinkMs: number;
  /** The share of operations whose client goes before it is answered. */
  readonly abortShare: number;
  /** Virtual milliseconds between two crashes, and between two restarts, on the mean. */
  readonly crashMs: number;
  readonly restartMs: number;
  /** The share of ends after which the machine stays off for days. */
  readonly offShare: number;
  /** The same for a flipped bit. */
  readonly flipMs: number;
  /** The same for a row of the catalog that rots. */
  readonly rotMs: number;
}

const stream = 9;

/** It is drawn anew for each seed: a mean world would never be extreme in anything. */
export function profileOf(seed: number): Profile {
  const random = new SeededRandom(seed, stream);
  /**
   * A number between the two, as often in one power of ten as in another; rounded, since versions
   * of Node differ in the last digits of powers.
   */
  const between = (low: number, high: number): number =>
    Number((low * (high / low) ** random.uniform()).toPrecision(6));
  const sometimes = (share: number, value: number): number =>
    random.uniform() < share ? value : 0;
  return {
    pacing: {
      meanMs: between(0.3, 3),
      slowShare: sometimes(0.5, between(0.001, 0.03)),
      stalledShare: sometimes(0.3, between(1e-5, 3e-4)),
    },
    shares: {
      disk: sometimes(0.7, between(0.002, 0.05)),
      catalog: sometimes(0.7, between(0.001, 0.03)),
      full: sometimes(0.5, between(0.002, 0.04)),
      run: sometimes(0.5, between(0.005, 0.1)),
      misdirected: sometimes(0.2, between(0.01, 0.1)),
    },
    slowness: between(3, 300),
    poolBytes: 4 * 1024 * 2 ** Math.max(0, random.integer(6) - 2),
    clientCount: 2 + random.integer(11),
    thinkMs: between(0.5, 60),
    abortShare: sometimes(0.5, between(0.01, 0.1)),
    crashMs: between(250, 2_500),
    restartMs: between(2_000, 20_000),
    offShare: sometimes(0.5, between(0.05, 0.5)),
    flipMs: sometimes(0.4, between(300, 5_000)),
    rotMs: sometimes(0.3, between(500, 5_000)),
  };
}
