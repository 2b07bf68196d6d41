/** The operator's API key: given, from a file or the environment, or kept in the home folder. */
import { link, open, readFile, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import { type Command, Option } from "commander";
import { present } from "../foundation/assert.ts";
import { StrataError, wrapError } from "../foundation/errors.ts";
import { makeFolder } from "../foundation/make-folder.ts";
import type { Ids } from "../foundation/random.ts";
import type { Output } from "./output.ts";
import type { Surroundings } from "./surroundings.ts";

const fileName = "api-key";

export interface KeyOptions {
  readonly apiKey?: string;
  readonly apiKeyFile?: string;
}

/** Adds `--api-key-file` and `--api-key`; `fallback` says what comes after the environment. */
export function addKeyOptions(command: Command, fallback: string): void {
  const isDefault = `(default: STRATA_API_KEY, or ${fallback})`;
  const plain = new Option("--api-key <key>", "the key itself, which the list of processes shows");
  command
    .option("--api-key-file <file>", `file that holds the server's key ${isDefault}`)
    .addOption(plain.conflicts("apiKeyFile"));
}

/** The key that an option or the environment gives; undefined when neither does. */
export async function givenKey(
  { apiKey, apiKeyFile }: KeyOptions,
  { environment }: Surroundings,
  output: Output,
): Promise<string | undefined> {
  if (apiKey !== undefined)
    output.note(
      "Warning: other users can read --api-key in the list of processes; " +
        "use --api-key-file or STRATA_API_KEY",
    );
  const key =
    apiKey ??
    (apiKeyFile === undefined ? environment["STRATA_API_KEY"] : await readKeyFile(apiKeyFile));
  return key ? checkApiKey(key) : undefined;
}

async function readKeyFile(path: string): Promise<string> {
  let key;
  try {
    key = (await readFile(path, "utf8")).trim();
  } catch (error) {
    throw wrapError(error, "INVALID_ARGUMENT", `Cannot read API key "${path}"`);
  }
  if (key !== "") return key;
  throw new StrataError("INVALID_ARGUMENT", `Cannot use API key "${path}": the file is empty`);
}

/** The stored key, or undefined when there is none. */
export async function readApiKey(home: string): Promise<string | undefined> {
  const path = join(home, fileName);
  try {
    const key = (await readFile(path, "utf8")).trim();
    return key === "" ? undefined : checkApiKey(key);
  } catch (error) {
    if (isCode(error, "ENOENT")) return undefined;
    throw wrapError(error, "UNAVAILABLE", `Cannot read API key "${path}"`);
  }
}

/**
 * The stored key; the first call draws one and stores it, readable by the owner alone. The file
 * has its name only when it is whole.
 */
export async function loadOrCreateApiKey(home: string, ids: Ids): Promise<string> {
  const stored = await readApiKey(home);
  if (stored !== undefined) return stored;
  const path = join(home, fileName);
  const passing = join(home, ids.next(`${fileName}-`));
  try {
    await makeFolder(home, 0o700);
    const file = await open(passing, "wx", 0o600);
    await file.writeFile(`${ids.next("sk-strata-")}\n`);
    await file.sync();
    await file.close();
    await link(passing, path).catch(async (error: unknown) => {
      // Another process was faster and its key counts; a file without a key is replaced.
      if (!isCode(error, "EEXIST")) throw error;
      if ((await readApiKey(home)) === undefined) await rename(passing, path);
    });
    return present(await readApiKey(home), "the key is stored");
  } catch (error) {
    throw wrapError(error, "UNAVAILABLE", `Cannot store API key "${path}"`);
  } finally {
    await rm(passing, { force: true }).catch(() => {});
  }
}

/** INVALID_ARGUMENT when a key holds what an HTTP header cannot carry. */
function checkApiKey(key: string): string {
  if (/^[\x21-\x7e]+$/.test(key)) return key;
  throw new StrataError(
    "INVALID_ARGUMENT",
    "Cannot use API key: expected printable ASCII characters without spaces",
  );
}

function isCode(error: unknown, code: string): boolean {
  return error instanceof Error && "code" in error && error.code === code;
}
