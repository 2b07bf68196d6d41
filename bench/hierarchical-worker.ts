/** A process of one thread that makes the runs it is told, one at a time; see `runPlans`. */
import { openBench, type Setup, type RunReply } from "./hierarchical-runs.ts";

const [, , cacheFolder = ""] = process.argv;
const opened = openBench({ cacheFolder, threadCount: 1 });

process.on("message", (setup: Setup) => {
  opened
    .then((bench) => bench.run(setup))
    .then((run) => reply({ run }))
    .catch((error: unknown) => reply({ error: String(error) }));
});

// Nothing else keeps the process; a parent may be gone before this line.
process.on("disconnect", () => process.exit());
if (!process.connected) process.exit();

function reply(value: RunReply): void {
  process.send?.(value);
}
