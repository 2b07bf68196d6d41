/** What every command shares: options that several take, and how their values are read. */
import { join } from "node:path";
import type { Command } from "commander";
import { InvalidArgumentError, Option } from "commander";
import { Output } from "./output.ts";
import type { LocalCommands } from "./local-commands.ts";
import type { Surroundings } from "./surroundings.ts";

/** What a command's registration gets. */
export interface CommandContext {
  readonly commands: LocalCommands;
  readonly surroundings: Surroundings;
}

export const defaultPort = 7860;
export const defaultUrl = `http://127.0.0.1:${defaultPort}`;

/** The server that is called unless a command names one. */
export function serverUrlOf({ environment }: Pick<Surroundings, "environment">): string {
  return environment["STRATA_URL"] || defaultUrl;
}

export interface SharedOptions {
  readonly json?: boolean;
  readonly home: string;
}

/** Adds `--json` and `--home`, and the examples below the help. */
export function shared(
  command: Command,
  { surroundings }: CommandContext,
  examples: readonly string[],
): Command {
  const home = new Option("--home <folder>", "where Strata keeps models, data and the API key");
  return command
    .addOption(home.default(homeOf(surroundings), "STRATA_HOME or ~/.strata"))
    .option("--json", "print one JSON value and nothing else")
    .addHelpText("after", `\nExamples:\n${examples.map((line) => `  $ ${line}\n`).join("")}`);
}

export function outputOf(context: CommandContext, options: SharedOptions): Output {
  return new Output(context.surroundings, options.json === true);
}

export function integerBetween(min: number, max: number): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (Number.isInteger(value) && value >= min && value <= max) return value;
    throw new InvalidArgumentError(`Expected an integer from ${min} to ${max}.`);
  };
}

export function positiveNumber(text: string): number {
  const value = Number(text);
  if (Number.isFinite(value) && value > 0) return value;
  throw new InvalidArgumentError("Expected a number above 0.");
}

function homeOf({ environment, userFolder }: Surroundings): string {
  return environment["STRATA_HOME"] ?? join(userFolder, ".strata");
}
