/** What a token takes before anyone asks: full batches are run once, and again with a watch. */
import type { EncoderConfig } from "../entities/base-model.ts";
import type { Clock } from "../foundation/clock.ts";
import { limits } from "../foundation/limits.ts";
import type { AdapterForm } from "../models/adapter-kind.ts";
import type { Program } from "../runtime/runtime.ts";
import { textFeeds } from "./batch-feeds.ts";

/** The length of each sequence, as far as the base allows. */
const sequenceTokens = 32;

export interface WarmUp {
  readonly config: EncoderConfig;
  /** The adapters that the programs take. */
  readonly adapters: readonly AdapterForm[];
  readonly clock: Clock;
}

/** Milliseconds per token of one worker while all are busy. */
export async function measureMsPerToken(
  programs: readonly Program[],
  { config, adapters, clock }: WarmUp,
): Promise<number> {
  const length = Math.min(sequenceTokens, config.positionCount);
  const count = Math.floor(limits.batchTokensMax / length);
  const none = { adapter: undefined, outputCount: 0, resident: undefined };
  const row = { pooling: "mean", ...none } as const;
  const rows = Array.from({ length: count }, () => ({ ...row, ids: new Int32Array(length) }));
  const memory = new Float32Array(new SharedArrayBuffer(0));
  const run = async (program: Program): Promise<number> => {
    const startMs = clock.monotonic();
    await program.run(textFeeds(config, rows, { memory, adapters }));
    return clock.monotonic() - startMs;
  };
  // The first run allocates.
  await Promise.all(programs.map(run));
  const times = await Promise.all(programs.map(run));
  return times.reduce((sum, ms) => sum + ms, 0) / times.length / (count * length);
}
