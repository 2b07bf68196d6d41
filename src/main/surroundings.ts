/** The process as the command line sees it: streams, environment, Ctrl-C, timers. */
import { homedir } from "node:os";
import type { Surroundings } from "../cli/surroundings.ts";
import { systemClock } from "../foundation/clock.ts";
import { systemIds } from "../foundation/random.ts";

/** To be called once: it takes over SIGINT and SIGTERM. A second one ends the process at once. */
export function processSurroundings(version: string): Surroundings {
  const interruption = new AbortController();
  for (const [signal, exitStatus] of [
    ["SIGINT", 130],
    ["SIGTERM", 143],
  ] as const) {
    process.on(signal, () => {
      if (interruption.signal.aborted) process.exit(exitStatus);
      interruption.abort();
    });
  }
  // A reader such as `head` that has gone is no error.
  process.stdout.on("error", (error: NodeJS.ErrnoException) => {
    if (error.code === "EPIPE") process.exit(0);
    throw error;
  });
  return {
    environment: process.env,
    input: process.stdin,
    output: process.stdout,
    errors: process.stderr,
    signal: interruption.signal,
    clock: systemClock,
    ids: systemIds,
    userFolder: homedir(),
    version,
  };
}
