/** `strata delete`: a model, one of its versions, a finished job or a file, told by the name. */
import { createInterface } from "node:readline/promises";
import type { Command } from "commander";
import type { Client } from "../client/client.ts";
import { StrataError } from "../foundation/errors.ts";
import type { CommandContext } from "./command-context.ts";
import type { RemoteOptions } from "./remote.ts";
import { connect, remote } from "./remote.ts";

export function addDelete(program: Command, context: CommandContext): void {
  const command = program
    .command("delete")
    .argument("<name>", "a custom model, <model>@<version>, or the id of a job or file")
    .description(
      "Delete a custom model and all its versions, a version that is not served, a job that has " +
        "finished, or a file.",
    )
    .option("--yes", "do not ask")
    .action(async (name: string, flags: RemoteOptions & { yes?: boolean }) => {
      const { client, output } = await connect(flags, context);
      const { what, remove } = targetOf(name);
      if (flags.yes !== true) await confirm(`Delete ${what}?`, context);
      await remove(client);
      await output.result({ id: name, deleted: true }, () => output.line(`Deleted ${what}.`));
    });
  remote(command, context, [
    "strata delete tickets --yes",
    "strata delete tickets@2 --yes",
    "strata delete ftjob-… --yes",
  ]);
}

interface Target {
  readonly what: string;
  remove(client: Client): Promise<void>;
}

function targetOf(name: string): Target {
  const [, model, version] = /^(.+)@([1-9]\d{0,9})$/.exec(name) ?? [];
  if (model !== undefined && version !== undefined) {
    const what = `version ${version} of "${model}"`;
    return { what, remove: (client) => client.deleteVersion(model, Number(version)) };
  }
  if (name.startsWith("ftjob-"))
    return { what: `job ${name} and its events`, remove: (client) => client.deleteJob(name) };
  if (name.startsWith("file-"))
    return { what: `file ${name}`, remove: (client) => client.deleteFile(name) };
  return { what: `"${name}" and all its versions`, remove: (client) => client.deleteModel(name) };
}

/** CANCELLED unless the answer begins with a "y". */
async function confirm(question: string, { surroundings }: CommandContext): Promise<void> {
  const { input, errors, signal } = surroundings;
  if (input.isTTY !== true) {
    throw new StrataError("INVALID_ARGUMENT", "Cannot ask without a terminal: add --yes");
  }
  const terminal = createInterface({ input, output: errors });
  try {
    const answer = await terminal.question(`${question} [y/N] `, { signal });
    if (/^y/i.test(answer.trim())) return;
  } catch {
    // Ctrl-C is a no.
  } finally {
    terminal.close();
  }
  throw new StrataError("CANCELLED", "Cannot delete: not confirmed");
}
