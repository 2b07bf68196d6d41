/** The connection of commands that call a server. */
import { readFile } from "node:fs/promises";
import { basename } from "node:path";
import type { Command } from "commander";
import { Client } from "../client/client.ts";
import type { FileObject } from "../contract/files.ts";
import { StrataError, wrapError } from "../foundation/errors.ts";
import { limits } from "../foundation/limits.ts";
import { addKeyOptions, givenKey, type KeyOptions, readApiKey } from "./api-key.ts";
import { awaitServer } from "./await-server.ts";
import type { CommandContext, SharedOptions } from "./command-context.ts";
import { defaultUrl, integerBetween, outputOf, serverUrlOf, shared } from "./command-context.ts";
import type { Output } from "./output.ts";

export interface RemoteOptions extends SharedOptions, KeyOptions {
  readonly url?: string;
  readonly patience: number;
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
  command.option("--url <url>", `server to call (default: STRATA_URL or ${defaultUrl})`);
  addKeyOptions(command, "the one in the home folder");
  const seconds = integerBetween(0, limits.serverWaitSecondsMax);
  const patience = "seconds to wait for a server on this machine to listen";
  command.option("--patience <seconds>", patience, seconds, defaultPatienceSeconds);
  return shared(command, context, examples);
}

/** Nothing is called yet: words that are wrong are told without a server. */
export async function connect(options: RemoteOptions, context: CommandContext): Promise<Session> {
  const { surroundings } = context;
  const output = outputOf(context, options);
  const given = await givenKey(options, surroundings, output);
  const baseUrl = checkUrl(options.url ?? serverUrlOf(surroundings));
  let ready: Promise<string> | undefined;
  const readyKey = async (): Promise<string> => {
    await awaitServer(baseUrl, { surroundings, output, seconds: options.patience });
    // A server that was started a moment ago has stored its key before it listens.
    return given ?? (await storedKey(options.home));
  };
  const client = new Client({ baseUrl, apiKey: () => (ready ??= readyKey()) });
  return { client, output, context };
}

/** UNAUTHENTICATED when there is none; says where one was looked for. */
async function storedKey(home: string): Promise<string> {
  const key = await readApiKey(home);
  if (key !== undefined) return key;
  const where = `--api-key-file, STRATA_API_KEY or the file "api-key" in "${home}"`;
  throw new StrataError("UNAUTHENTICATED", `Cannot call a server: expected a key in ${where}`);
}

/** Uploads a file for training; rows that cannot be used are noted, not fatal. */
async function uploadTrainingFile(
  session: Session,
  { path, bytes }: LocalFile,
): Promise<FileObject> {
  const file = await session.client.uploadFile(bytes, basename(path));
  // What is too little to train on is the error of the command, or no matter: it judges others.
  const { task, remarks: all } = file.strata;
  const remarks = all.filter(({ kind }) => kind !== "shortage").map(({ message }) => message);
  if (task !== null) session.output.note(`Uploaded ${path}: examples of ${task}`);
  if (remarks.length > 0) session.output.note(`Remarks on ${path}:\n${remarks.join("\n")}`);
  return file;
}

/**
 * Uploads files for one call. When the server refuses the call, they are deleted again: nobody else
 * knows of them. When its answer got lost they stay, since the call may have been obeyed.
 */
export async function withUploads<T>(
  session: Session,
  files: readonly LocalFile[],
  call: (ids: readonly string[]) => Promise<T>,
): Promise<T> {
  const ids: string[] = [];
  try {
    for (const file of files) ids.push((await uploadTrainingFile(session, file)).id);
    return await call(ids);
  } catch (error) {
    const isRefused = error instanceof StrataError && error.code !== "UNAVAILABLE";
    // That they could not be deleted matters less than why the call failed.
    if (isRefused) for (const id of ids) await session.client.deleteFile(id).catch(() => undefined);
    throw error;
  }
}

export interface LocalFile {
  readonly path: string;
  readonly bytes: Buffer;
}

export async function readLocal(path: string): Promise<LocalFile> {
  try {
    return { path, bytes: await readFile(path) };
  } catch (error) {
    throw unreadable(error, path);
  }
}

/** INVALID_ARGUMENT for a file of the user's, in whose place there may be nothing. */
export function unreadable(error: unknown, path: string): StrataError {
  const isAbsent = error instanceof Error && "code" in error && error.code === "ENOENT";
  if (!isAbsent) return wrapError(error, "INVALID_ARGUMENT", `Cannot read "${path}"`);
  const message = `Cannot read "${path}": there is no such file here`;
  return new StrataError("INVALID_ARGUMENT", message, { cause: error });
}

const defaultPatienceSeconds = 15;

function checkUrl(text: string): string {
  if (URL.canParse(text) && /^https?:$/.test(new URL(text).protocol)) return text;
  throw new StrataError(
    "INVALID_ARGUMENT",
    `Cannot call "${text}": expected an address such as ${defaultUrl}`,
  );
}
