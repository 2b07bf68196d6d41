/**
 * Measures one claim and prints its ratios: `npm run bench -- CLAIM [--quick] [--json]`. With
 * `--json` the last line is one JSON object. It has an entry of its own: what only measures Strata
 * is no part of the program that is installed.
 */
import { homedir } from "node:os";
import { parseArgs } from "node:util";
import { StrataError, errorCodes } from "../src/foundation/errors.ts";
import { limits } from "../src/foundation/limits.ts";
import { cacheFolderOf } from "../src/main/cache-folder.ts";
import { claimLines, runBench } from "./bench.ts";

const usage = `Usage: npm run bench -- CLAIM [--quick] [--json]
  --quick  stay about a minute
  --json   print one JSON object and nothing else
Claims, and roughly what they take without --quick, on two cores; long ones go on where they
were stopped:
${claimLines()}`;

/** Returns the exit status, by the table in `foundation/errors.ts`. */
async function main(words: readonly string[]): Promise<number> {
  try {
    const { values, positionals } = parseWords(words);
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
  } catch (error) {
    // A bug keeps its stack.
    if (!(error instanceof StrataError)) throw error;
    console.error(`Error: ${error.message}`);
    return errorCodes[error.code].cliExit;
  }
}

/** INVALID_ARGUMENT for an option that there is not. */
function parseWords(words: readonly string[]) {
  const flag = { type: "boolean", default: false } as const;
  const options = { quick: flag, json: flag, help: { ...flag, short: "h" } } as const;
  try {
    return parseArgs({ args: [...words], allowPositionals: true, options });
  } catch (error) {
    // Node's own message goes on to advise how a path is written that begins with a dash.
    const reason = error instanceof Error ? error.message.split(/\. |\n/)[0] : String(error);
    throw new StrataError("INVALID_ARGUMENT", `Cannot measure: ${reason}\n${usage}`);
  }
}

const exitStatus = await main(process.argv.slice(2));
process.exitCode = exitStatus;
// What a claim has left open shall not keep the process.
setTimeout(() => process.exit(exitStatus), limits.exitWaitMsMax).unref();
