/** What a request brings in: where it comes from, whether it arrives, and the memory it takes. */
import type { Clock } from "../foundation/clock.ts";
import { StrataError } from "../foundation/errors.ts";
import { limits } from "../foundation/limits.ts";
import { Arrival, type Origin } from "./arrival.ts";

/** A request that was made in this process. */
export const ownOrigin: Origin = { peer: "", receivedBytes: () => 0 };

/** The time after which to try again when bodies take all the memory that they may. */
const retryAfterMs = 1_000;

/**
 * The memory that bodies may take while they arrive and are worked on: in all, and for one peer.
 * Bodies up to `smallBodyBytesMax` are not counted, as connections are.
 */
export class BodyBudget {
  #heldBytes = 0;
  readonly #byPeer = new Map<string, number>();

  /** OVERLOADED when there is no room. */
  take(peer: string, bytes: number): void {
    const peerBytes = (this.#byPeer.get(peer) ?? 0) + bytes;
    if (peerBytes > limits.peerHeldBodyBytesMax) throw full(limits.peerHeldBodyBytesMax);
    if (this.#heldBytes + bytes > limits.heldBodyBytesMax) throw full(limits.heldBodyBytesMax);
    this.#heldBytes += bytes;
    this.#byPeer.set(peer, peerBytes);
  }

  giveBack(peer: string, bytes: number): void {
    this.#heldBytes -= bytes;
    const rest = (this.#byPeer.get(peer) ?? 0) - bytes;
    if (rest > 0) this.#byPeer.set(peer, rest);
    else this.#byPeer.delete(peer);
  }
}

export class Intake {
  readonly #budget: BodyBudget;
  readonly #clock: Clock;
  readonly #origin: Origin;
  #arrival: Arrival | undefined;
  #heldBytes = 0;

  constructor(budget: BodyBudget, clock: Clock, origin: Origin) {
    this.#budget = budget;
    this.#clock = clock;
    this.#origin = origin;
  }

  get arrival(): Arrival {
    return (this.#arrival ??= new Arrival(this.#clock, this.#origin));
  }

  /** Makes room for a body of so many bytes in all; OVERLOADED when there is none. */
  holdUpTo(bytes: number): void {
    if (bytes <= limits.smallBodyBytesMax || bytes <= this.#heldBytes) return;
    this.#budget.take(this.#origin.peer, bytes - this.#heldBytes);
    this.#heldBytes = bytes;
  }

  release(): void {
    if (this.#heldBytes > 0) this.#budget.giveBack(this.#origin.peer, this.#heldBytes);
    this.#heldBytes = 0;
  }
}

function full(bytes: number): StrataError {
  const state = `bodies in work hold all of ${bytes} bytes`;
  return new StrataError("OVERLOADED", `Cannot read the body: ${state}`, { retryAfterMs });
}
