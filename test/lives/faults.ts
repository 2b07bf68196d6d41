/** What goes wrong, by chance: each kind with a share of its own, which the seed draws. */
import type { Random } from "../../src/foundation/random.ts";
import type { Trace } from "./trace.ts";
import type { VirtualTime } from "./virtual-time.ts";

/** The share of operations that each kind strikes. */
export interface FaultShares {
  /** An operation on files fails, before or after its effect. */
  readonly disk: number;
  /** A statement, or a commit, of the catalog fails. */
  readonly catalog: number;
  /** The disk is full for one operation. */
  readonly full: number;
  /** A run of a graph fails, as when its thread dies. */
  readonly run: number;
  /** What is written goes to the place of another blob. */
  readonly misdirected: number;
}

export type FaultKind = keyof FaultShares;

export class Faults {
  readonly #random: Random;
  readonly #shares: FaultShares;
  readonly #time: VirtualTime;
  readonly #trace: Trace;
  readonly counts = new Map<string, number>();
  /** The steps at which something struck. */
  readonly #steps: number[] = [];
  /** Nothing goes wrong while it is set. */
  areOff = false;

  constructor(
    random: Random,
    options: {
      readonly shares: FaultShares;
      readonly time: VirtualTime;
      readonly trace: Trace;
    },
  ) {
    this.#random = random;
    this.#shares = options.shares;
    this.#time = options.time;
    this.#trace = options.trace;
  }

  /** Whether this kind strikes now, at what is described. */
  strikes(kind: FaultKind, what: string): boolean {
    if (this.areOff || this.#random.uniform() >= this.#shares[kind]) return false;
    this.note(kind, what);
    return true;
  }

  /** Remembers a fault that another one has brought about. */
  note(kind: string, what: string): void {
    this.counts.set(kind, (this.counts.get(kind) ?? 0) + 1);
    this.#steps.push(this.#time.step);
    this.#trace.say(`${this.#time.step} fault ${kind}: ${what}`);
  }

  /** How many struck from this step on. */
  countSince(step: number): number {
    let count = 0;
    for (let index = this.#steps.length - 1; index >= 0; index--) {
      if ((this.#steps[index] ?? 0) < step) break;
      count += 1;
    }
    return count;
  }

  get count(): number {
    return this.#steps.length;
  }
}
