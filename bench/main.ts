/**
 * Measures one claim and prints its ratios: `npm run bench -- CLAIM [--quick] [--json]`. With
 * `--json` the last line is one JSON object. It has an entry of its own: what only measures Strata
 * is no part of the program that is installed.
 */
import { homedir } from "node:os";
import { StrataError } from "../src/foundation/errors.ts";
import { limits } from "../src/foundation/limits.ts";
import { cacheFolderOf } from "../src/main/cache-folder.ts";
import { exitStatusOf, parseWords } from "../tools/command.ts";
import { claimLines, runBench } from "./bench.ts";

const usage = `Usage: npm run bench -- CLAIM [--quick] [--json]
  --quick  stay about a minute
  --json   print one JSON object and nothing else
Claims, and roughly what they take without --quick, on two cores; long ones go on where they
were stopped:
${claimLines()}`;

async function main(words: readonly string[]): Promise<number> {
  const flag = { type: "boolean", default: false } as const;
  const options = { quick: flag, json: flag, help: { ...flag, short: "h" } } as const;
  const config = { args: [...words], allowPositionals: true, options } as const;
  const { values, positionals } = parseWords({ config, action: "Cannot measure", usage });
  const [claim, ...others] = positionals;
  if (values.help) {
    console.log(usage);
    return 0;
  }
  if (claim === undefined || others.length > 0)
    throw new StrataError(
      "INVALID_ARGUMENT",
      `Cannot measure: expected one claim, got ${positionals.length}\n${usage}`,
    );
  const cacheFolder = cacheFolderOf({ environment: process.env, userFolder: homedir() });
  const result = await runBench(claim, { isQuick: values.quick, cacheFolder });
  console.log(JSON.stringify(result, undefined, values.json ? 0 : 2));
  return 0;
}

const exitStatus = await exitStatusOf(() => main(process.argv.slice(2)));
process.exitCode = exitStatus;
// What a claim has left open shall not keep the process.
setTimeout(() => process.exit(exitStatus), limits.exitWaitMsMax).unref();
