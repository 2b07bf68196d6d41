/** The process as the command line sees it: streams, environment, Ctrl-C, timers. */
import { homedir } from "node:os";
import type { Surroundings } from "../cli/surroundings.ts";
import { systemClock } from "../foundation/clock.ts";
import { systemIds } from "../foundation/random.ts";

/**
 * May be called once: it takes over SIGINT and SIGTERM. A second signal ends the process at once.
 */
export function processSurroundings(version: string): Surroundings {
  const interruption = new AbortController();
  for (const signal of ["SIGINT", "SIGTERM"] as const)
    process.on(signal, () => {
      if (!interruption.signal.aborted) {
        interruption.abort();
        return;
      }
      // The signal's own action: `exit` would end threads in the middle of a run, which aborts.
      process.removeAllListeners(signal);
      process.kill(process.pid, signal);
    });
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
