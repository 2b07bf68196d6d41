/** Shares runs among processes, one per core: two of one thread are faster than one of two. */
import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { availableParallelism } from "node:os";
import type { Setup, Run, RunReply } from "./hierarchical-runs.ts";

/** Begins the setups in their order; `onRun` gets each run when it is done. */
export async function runPlans(
  setups: readonly Setup[],
  cacheFolder: string,
  onRun: (run: Run) => void,
): Promise<void> {
  const open = [...setups];
  const work = async (): Promise<void> => {
    const child = fork(new URL("./hierarchical-worker.js", import.meta.url), [cacheFolder]);
    try {
      for (let setup = open.shift(); setup !== undefined; setup = open.shift())
        onRun(await runOn(child, setup));
    } finally {
      // The others end with the runs that they have begun.
      open.length = 0;
      if (child.connected) child.disconnect();
    }
  };
  const count = Math.min(availableParallelism(), setups.length);
  await Promise.all(Array.from({ length: count }, work));
}

async function runOn(child: ChildProcess, setup: Setup): Promise<Run> {
  child.send(setup);
  const settled = new AbortController();
  const { signal } = settled;
  try {
    const [reply] = (await Promise.race([
      once(child, "message", { signal }),
      once(child, "exit", { signal }).then(() => [{ error: "a process has ended" }]),
    ])) as [RunReply]; // what the worker sends
    if ("error" in reply) throw new Error(`Cannot run ${JSON.stringify(setup)}: ${reply.error}`);
    return reply.run;
  } finally {
    settled.abort();
  }
}
