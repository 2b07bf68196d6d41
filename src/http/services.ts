/** What the HTTP interface stands on; `server/` hands it in. */
import type { Creator } from "../creator/creator.ts";
import type { Files } from "../files/files.ts";
import type { Clock } from "../foundation/clock.ts";
import type { Ids } from "../foundation/random.ts";
import type { Telemetry } from "../foundation/telemetry.ts";
import type { Processor } from "../processor/processor.ts";
import type { Store } from "../storage/storage.ts";
import type { Trainer } from "../trainer/trainer.ts";
import type { Authenticator } from "./authentication.ts";

export interface Services {
  readonly store: Store;
  readonly creator: Creator;
  readonly files: Files;
  readonly trainer: Trainer;
  readonly processor: Processor;
  readonly telemetry: Telemetry;
  readonly clock: Clock;
  readonly ids: Ids;
  readonly authenticator: Authenticator;
  /** The version of Strata itself. */
  readonly version: string;
  /** All metrics in Prometheus' text format. */
  metricsText(): Promise<string>;
  /** Documents that anyone may get, by path. */
  readonly documents?: ReadonlyMap<string, StaticDocument>;
  /** Fails for a `Host` header by which the server is not to be called; by default any may be. */
  checkHost?(header: string | null): void;
  /** Origins whose scripts may call; none by default. */
  readonly corsOrigins?: readonly string[];
}

export interface StaticDocument {
  readonly type: string;
  readonly body: string | Uint8Array;
  /** What it may do in a browser (content security policy); by default nothing. */
  readonly policy?: string;
}
