/** What a request brings in: where it comes from, whether it arrives, and the memory it takes. */
import type { Clock } from "../foundation/clock.ts";
import { StrataError } from "../foundation/errors.ts";
import { limits } from "../foundation/limits.ts";
import { Arrival } from "./arrival.ts";

/** The connection that a request came over. */
export interface Origin {
  /** Who shares one budget, for example an address. */
  readonly peer: string;
  /** All bytes that the connection has brought. */
  receivedBytes(): number;
}

/** A request that was made in this process. */
export const ownOrigin: Origin = { peer: "", receivedBytes: () => 0 };

/** When bodies take all the memory that they may. */
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
  readonly arrival: Arrival;
  readonly #budget: BodyBudget;
  readonly #peer: string;
  #heldBytes = 0;

  constructor(budget: BodyBudget, clock: Clock, origin: Origin) {
    this.#budget = budget;
    this.#peer = origin.peer;
    this.arrival = new Arrival({ clock, receivedBytes: () => origin.receivedBytes() });
  }

  /** Makes room for a body of so many bytes in all; OVERLOADED when there is none. */
  holdUpTo(bytes: number): void {
    if (bytes <= limits.smallBodyBytesMax || bytes <= this.#heldBytes) return;
    this.#budget.take(this.#peer, bytes - this.#heldBytes);
    this.#heldBytes = bytes;
  }

  release(): void {
    if (this.#heldBytes > 0) this.#budget.giveBack(this.#peer, this.#heldBytes);
    this.#heldBytes = 0;
  }
}

function full(bytes: number): StrataError {
  const state = `bodies in work hold all of ${bytes} bytes`;
  return new StrataError("OVERLOADED", `Cannot read the body: ${state}`, { retryAfterMs });
}
