/** What a pull needs of the world outside; `main/commands.ts` makes one, tests another. */
import { type Clock, pause as pauseOn } from "../foundation/clock.ts";
import type { Digest } from "../foundation/digest.ts";
import { StrataError } from "../foundation/errors.ts";
import type { Telemetry } from "../foundation/telemetry.ts";

export interface Network {
  readonly fetch: typeof fetch;
  readonly clock: Clock;
  readonly telemetry: Telemetry;
  /** `HF_ENDPOINT`, `HF_TOKEN`, what pip reads, and `HOME`. */
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly onProgress?: (progress: PullProgress) => void;
  /** Cancels; what has arrived is kept and continued by the next pull. */
  readonly signal?: AbortSignal;
}

export interface PullProgress {
  readonly file: string;
  readonly receivedBytes: number;
  /** Undefined while the server does not say. */
  readonly totalBytes: number | undefined;
}

/** What a source is asked: to bring a checkpoint into a folder. */
export interface SourceRequest {
  /** The source without its scheme, for example `owner/repository`. */
  readonly place: string;
  /** Exists; may hold files of an earlier pull that was cut off. */
  readonly folder: string;
  /** Digests that files must have, by path. */
  readonly pins: Readonly<Record<string, Digest>>;
  /** The commit of an earlier pull from the same place, which is to be brought again. */
  readonly commit?: string | undefined;
  readonly network: Network;
}

/** Waits `delayMs`; CANCELLED as soon as the network's signal says so. */
export async function pause(network: Network, delayMs: number): Promise<void> {
  throwIfCancelled(network);
  await pauseOn(network.clock, delayMs, network.signal);
  throwIfCancelled(network);
}

export function throwIfCancelled(network: Network): void {
  if (network.signal?.aborted === true)
    throw new StrataError("CANCELLED", "Cannot get base model: cancelled");
}
