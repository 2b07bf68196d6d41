/**
 * Runs compiled tests: `node dist/tools/test.js [--concurrency N] [PATH...]`. A path is the start
 * of a test's path below the build folder, such as `src/storage` or `test/`; none means all. What
 * an earlier build left of a deleted test does not run; what is skipped is said. Exits with the
 * status of `node --test`.
 */
import { spawnSync } from "node:child_process";
import { existsSync, readdirSync } from "node:fs";
import { relative, resolve } from "node:path";
import { parseArgs } from "node:util";

/** What a kill of `test/server-kill` may take: those that are asked for by hand are many. */
const killMsMax = 30_000;
/** A file that takes longer hangs: it is ended and counts as failed. */
const fileMsMax = 300_000 + Number(process.env["KILLS"] ?? 0) * killMsMax;

/** The folder that this file was compiled into. */
const build = resolve(import.meta.dirname, "..");

function main(): void {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: { concurrency: { type: "string", default: "2" } },
  });
  const tests = findTests().filter(
    (path) => positionals.length === 0 || positionals.some((start) => path.startsWith(start)),
  );
  if (tests.length === 0) {
    console.error(`Cannot test: no test below ${build} starts with ${positionals.join(" or ")}`);
    process.exitCode = 1;
    return;
  }
  const { status } = spawnSync(
    process.execPath,
    [
      "--test",
      "--enable-source-maps",
      `--test-concurrency=${values.concurrency}`,
      `--test-timeout=${fileMsMax}`,
      `--test-reporter=${process.stdout.isTTY ? "spec" : "dot"}`,
      "--test-reporter-destination=stdout",
      `--test-reporter=${import.meta.resolve("./skipped.js")}`,
      "--test-reporter-destination=stdout",
      ...tests.map((path) => relative("", resolve(build, path))),
    ],
    { stdio: "inherit" },
  );
  process.exitCode = status ?? 1;
}

/** Paths below the build folder, with `/`, in a fixed order. */
function findTests(): readonly string[] {
  return readdirSync(build, { recursive: true, encoding: "utf8" })
    .map((path) => path.replaceAll("\\", "/"))
    .filter((path) => path.endsWith(".test.js") && existsSync(path.replace(/\.js$/, ".ts")))
    .toSorted();
}

main();
