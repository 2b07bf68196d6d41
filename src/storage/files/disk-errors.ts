/** What the disk refuses, wrapped once, where it enters. A full one is said so, and what helps. */
import { StrataError, wrapError } from "../../foundation/errors.ts";

/** Codes of the operating system and of SQLite that mean that no space is left. */
const fullCodes: ReadonlySet<string> = new Set([
  "ENOSPC",
  "EDQUOT",
  "SQLITE_FULL",
  "SQLITE_IOERR_SHMSIZE",
]);

export function isDiskFull(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  if ("code" in error && fullCodes.has(String(error.code))) return true;
  return isDiskFull(error.cause);
}

export function diskFull(action: string, cause?: unknown): StrataError {
  const advice = "delete models or files, or make room on it";
  const message = `${action}: the disk is full; ${advice}`;
  return new StrataError("UNAVAILABLE", message, { cause });
}

/** Does the work; a foreign error becomes UNAVAILABLE, told as `Cannot <action>`. */
export async function guardDisk<T>(action: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (!(error instanceof StrataError) && isDiskFull(error))
      throw diskFull(`Cannot ${action}`, error);
    throw wrapError(error, "UNAVAILABLE", `Cannot ${action}`);
  }
}
