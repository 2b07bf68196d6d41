/** What the command line gets from outside, by parameter: streams, environment, time, Ctrl-C. */
import type { Readable, Writable } from "node:stream";
import type { Clock } from "../foundation/clock.ts";
import type { Ids } from "../foundation/random.ts";

export interface Surroundings {
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly input: Readable & { readonly isTTY?: boolean };
  readonly output: Writable & { readonly isTTY?: boolean };
  readonly errors: Writable & { readonly isTTY?: boolean };
  /** Aborts at the first Ctrl-C or SIGTERM. */
  readonly signal: AbortSignal;
  readonly clock: Clock;
  readonly ids: Ids;
  /** The user's home folder, for the default of `--home`. */
  readonly userFolder: string;
  readonly version: string;
}
