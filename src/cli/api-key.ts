/** The operator's API key: given, from the environment, or kept in the home folder. */
import { mkdir, open, readFile } from "node:fs/promises";
import { join } from "node:path";
import { StrataError, wrapError } from "../foundation/errors.ts";
import type { Ids } from "../foundation/random.ts";

const fileName = "api-key";

/** The stored key, or undefined when there is none. */
export async function readApiKey(home: string): Promise<string | undefined> {
  const path = join(home, fileName);
  try {
    const key = (await readFile(path, "utf8")).trim();
    return key === "" ? undefined : key;
  } catch (error) {
    if (isCode(error, "ENOENT")) return undefined;
    throw wrapError(error, "UNAVAILABLE", `Cannot read API key "${path}"`);
  }
}

/** The stored key; the first call draws one and stores it, readable by the owner alone. */
export async function loadOrCreateApiKey(home: string, ids: Ids): Promise<string> {
  const stored = await readApiKey(home);
  if (stored !== undefined) return stored;
  const path = join(home, fileName);
  const key = ids.next("sk-strata-");
  try {
    await mkdir(home, { recursive: true, mode: 0o700 });
    const file = await open(path, "wx", 0o600);
    await file.writeFile(`${key}\n`);
    await file.sync();
    await file.close();
    return key;
  } catch (error) {
    // Another process was faster: its key counts.
    const other = isCode(error, "EEXIST") ? await readApiKey(home) : undefined;
    if (other !== undefined) return other;
    throw wrapError(error, "UNAVAILABLE", `Cannot store API key "${path}"`);
  }
}

/** INVALID_ARGUMENT when a key holds what an HTTP header cannot carry. */
export function checkApiKey(key: string): string {
  if (/^[\x21-\x7e]+$/.test(key)) return key;
  throw new StrataError(
    "INVALID_ARGUMENT",
    "Cannot use API key: expected printable ASCII characters without spaces",
  );
}

function isCode(error: unknown, code: string): boolean {
  return error instanceof Error && "code" in error && error.code === code;
}
