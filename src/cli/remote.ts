/** The connection of commands that call a server. */
import { readFile } from "node:fs/promises";
import { basename } from "node:path";
import type { Command } from "commander";
import { Client } from "../client/client.ts";
import type { FileObject } from "../contract/files.ts";
import { StrataError, wrapError } from "../foundation/errors.ts";
import { checkApiKey, readApiKey } from "./api-key.ts";
import type { CommandContext, SharedOptions } from "./command-context.ts";
import { defaultPort, outputOf, shared } from "./command-context.ts";
import type { Output } from "./output.ts";

export interface RemoteOptions extends SharedOptions {
  readonly url?: string;
  readonly apiKey?: string;
}

/** What the action of a remote command works with. */
export interface Session {
  readonly client: Client;
  readonly output: Output;
  readonly context: CommandContext;
}

export function remote(
  command: Command,
  context: CommandContext,
  examples: readonly string[],
): Command {
  command
    .option("--url <url>", `server to call (default: STRATA_URL or ${defaultUrl})`)
    .option("--api-key <key>", "its key (default: STRATA_API_KEY, or the one in the home folder)");
  return shared(command, context, examples);
}

/** UNAUTHENTICATED when there is no key anywhere; says where it looked. */
export async function connect(options: RemoteOptions, context: CommandContext): Promise<Session> {
  const { environment } = context.surroundings;
  const given = options.apiKey ?? environment["STRATA_API_KEY"];
  const apiKey = given || (await readApiKey(options.home));
  if (apiKey === undefined) {
    const where = `--api-key, STRATA_API_KEY or the file "api-key" in "${options.home}"`;
    throw new StrataError("UNAUTHENTICATED", `Cannot call a server: expected a key in ${where}`);
  }
  const baseUrl = checkUrl(options.url ?? (environment["STRATA_URL"] || defaultUrl));
  const client = new Client({ baseUrl, apiKey: checkApiKey(apiKey) });
  return { client, output: outputOf(context, options), context };
}

/** Uploads a file for training; lines that cannot be used are noted, not fatal. */
export async function uploadTrainingFile(session: Session, path: string): Promise<FileObject> {
  const file = await session.client.uploadFile(await readBytes(path), basename(path));
  if (file.status === "error") {
    const reason = file.status_details ?? "no line can be used";
    throw new StrataError("INVALID_ARGUMENT", `Cannot train on "${path}": ${reason}`);
  }
  if (file.status_details !== null)
    session.output.note(`Remarks on ${path}:\n${file.status_details}`);
  return file;
}

export async function readBytes(path: string): Promise<Buffer> {
  try {
    return await readFile(path);
  } catch (error) {
    throw wrapError(error, "INVALID_ARGUMENT", `Cannot read "${path}"`);
  }
}

const defaultUrl = `http://127.0.0.1:${defaultPort}`;

function checkUrl(text: string): string {
  if (URL.canParse(text) && /^https?:$/.test(new URL(text).protocol)) return text;
  throw new StrataError(
    "INVALID_ARGUMENT",
    `Cannot call "${text}": expected an address such as ${defaultUrl}`,
  );
}
