/**
 * What to do about an error, as a command to type. Servers answer programs too, so their messages
 * name no command; the command line adds it here, by what was called and what was to blame.
 */
import type { Command } from "commander";
import type { StrataError } from "../foundation/errors.ts";

type Hint = (name: string) => string;

const training: Hint = (name) => `train it: strata train ${name} --file …`;
const whatIsThere: Hint = (name) => {
  if (name.startsWith("file-")) return "see what is there: strata list files";
  if (name.startsWith("ftjob-")) return "see what is there: strata list jobs";
  const [, model] = /^(.+)@[1-9]\d*$/.exec(name) ?? [];
  if (model !== undefined) return `see its versions: strata show ${model}`;
  return "see what is there: strata list";
};

/** Hints by command, code and field. */
const hints: Readonly<Record<string, Hint>> = {
  "create ALREADY_EXISTS id": (name) => `${training(name)}; or make room: strata delete ${name}`,
  "create INVALID_ARGUMENT base": () =>
    "see those of this machine: strata base list; get one: strata base pull …; a server " +
    "knows those that were there when it started",
  "train NOT_FOUND model": whatIsThere,
  "predict NOT_FOUND model": whatIsThere,
  "predict CONFLICT model": training,
  "predict INVALID_ARGUMENT model": (name) =>
    `make a model on it: strata create … --base ${name} --file …; or ask it for embeddings: ` +
    "POST /v1/embeddings",
  "show NOT_FOUND model": whatIsThere,
  "show NOT_FOUND version": whatIsThere,
  "show NOT_FOUND id": whatIsThere,
  "alias NOT_FOUND model": whatIsThere,
  "alias NOT_FOUND version": (name) => `see its versions: strata show ${name}`,
  "delete NOT_FOUND model": whatIsThere,
  "delete NOT_FOUND id": whatIsThere,
  "cancel NOT_FOUND id": () => "see what is there: strata list jobs",
};

/** The hint for the command that was run last, if there is one. */
export function hintOf(program: Command, { code, field }: StrataError): string | undefined {
  const [word] = program.args;
  const command = program.commands.find((known) => known.name() === word);
  return hints[`${word} ${code} ${field}`]?.(command?.args[0] ?? "");
}
