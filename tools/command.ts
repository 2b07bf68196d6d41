/** What commands of this repository that are no part of the program have in common. */
import { parseArgs, type ParseArgsConfig } from "node:util";
import { errorCodes, StrataError } from "../src/foundation/errors.ts";

/** Its exit status, by the table in `foundation/errors.ts` when it is refused; a bug is thrown. */
export async function exitStatusOf(run: () => Promise<number>): Promise<number> {
  try {
    return await run();
  } catch (error) {
    // A bug keeps its stack.
    if (!(error instanceof StrataError)) throw error;
    console.error(`Error: ${error.message}`);
    return errorCodes[error.code].cliExit;
  }
}

export interface CommandWords<Config extends ParseArgsConfig> {
  readonly config: Config;
  /** What cannot be done then, such as "Cannot measure". */
  readonly action: string;
  readonly usage: string;
}

/** INVALID_ARGUMENT, with the usage, for an option that there is not. */
export function parseWords<Config extends ParseArgsConfig>({
  config,
  action,
  usage,
}: CommandWords<Config>): ReturnType<typeof parseArgs<Config>> {
  try {
    return parseArgs(config);
  } catch (error) {
    // Node's own message goes on to advise how a path is written that begins with a dash.
    const reason = error instanceof Error ? error.message.split(/\. |\n/)[0] : String(error);
    throw new StrataError("INVALID_ARGUMENT", `${action}: ${reason}\n${usage}`);
  }
}
