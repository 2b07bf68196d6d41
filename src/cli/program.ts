/**
 * The command line: `createProgram` describes it, `runProgram` runs it and turns whatever happens
 * into an exit status of the table in `foundation/errors.ts`.
 */
import { AssertionError } from "node:assert";
import { Command, CommanderError } from "commander";
import { StrataError, errorCodes, wrapError } from "../foundation/errors.ts";
import type { CommandContext } from "./command-context.ts";
import { addDelete } from "./delete.ts";
import { addServerCommands, addTrialCommands } from "./local.ts";
import { addCreate, addModelCommands } from "./models.ts";
import { hintOf } from "./hints.ts";
import { Output } from "./output.ts";
import { addPlacementCommands } from "./placement.ts";
import { addPredict } from "./predict.ts";
import { addTrain } from "./train.ts";

export function createProgram(context: CommandContext): Command {
  const program = new Command("strata")
    .description("Hosts ten thousand custom language models on one machine.")
    .version(context.surroundings.version)
    .showSuggestionAfterError()
    .exitOverride()
    .configureOutput({
      writeOut: (text) => void context.surroundings.output.write(text),
      // What went wrong is thrown, and `runProgram` prints it once.
      writeErr: () => undefined,
    })
    .addHelpText("after", '\nSee "strata <command> --help" for options and examples.');
  addServerCommands(program, context);
  addCreate(program, context);
  addTrain(program, context);
  addPredict(program, context);
  addModelCommands(program, context);
  addDelete(program, context);
  addPlacementCommands(program, context);
  addTrialCommands(program, context);
  return program;
}

/** Runs the command in `words`, the arguments of the program; returns the exit status. */
export async function runProgram(
  words: readonly string[],
  context: CommandContext,
): Promise<number> {
  const program = createProgram(context);
  try {
    if (words.length === 0) program.outputHelp();
    else await program.parseAsync(words, { from: "user" });
    return 0;
  } catch (error) {
    if (error instanceof CommanderError && error.exitCode === 0) return 0;
    const failure = errorOf(error);
    const isJson = words.includes("--json");
    new Output(context.surroundings, isJson).error(failure, hintOf(program, failure));
    return errorCodes[failure.code].cliExit;
  }
}

function errorOf(error: unknown): StrataError {
  if (error instanceof CommanderError) {
    const message = error.message.replace(/^error: /, "").replace(/\n/g, " ");
    const text = error.code === "commander.help" ? "expected a command; see --help" : message;
    return new StrataError("INVALID_ARGUMENT", `Cannot run: ${text}`, { cause: error });
  }
  if (error instanceof AssertionError) return wrapError(error, "INTERNAL", "Strata has a bug");
  return wrapError(error, "INTERNAL", "Cannot run");
}
