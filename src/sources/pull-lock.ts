/**
 * One pull of a base at a time, across processes: a file with the owner's process number. The lock
 * of a process that died is taken over. Digests, not this lock, keep the cache right.
 */
import { open, readFile, rm } from "node:fs/promises";
import { StrataError, wrapError } from "../foundation/errors.ts";
import { limits } from "../foundation/limits.ts";
import { type Network, pause } from "./network.ts";

const pollMs = 200;

/** Locks that this process holds: an earlier process may have had its number. */
const held = new Set<string>();

/** Runs `work` alone; UNAVAILABLE when another process holds `path` for too long. */
export async function withPullLock<T>(
  path: string,
  network: Network,
  work: () => Promise<T>,
): Promise<T> {
  const start = network.clock.monotonic();
  while (!(await tryLock(path))) {
    if (network.clock.monotonic() - start > limits.pullLockWaitMsMax)
      throw new StrataError(
        "UNAVAILABLE",
        `Cannot get base model: another process is pulling it; if none is, delete "${path}"`,
      );
    await pause(network, pollMs);
  }
  try {
    return await work();
  } finally {
    held.delete(path);
    await rm(path, { force: true });
  }
}

async function tryLock(path: string): Promise<boolean> {
  if (held.has(path)) return false;
  held.add(path);
  try {
    const file = await open(path, "wx");
    await file.writeFile(String(process.pid));
    await file.close();
    return true;
  } catch (error) {
    held.delete(path);
    const isTaken = error instanceof Error && "code" in error && error.code === "EEXIST";
    if (!isTaken) throw wrapError(error, "UNAVAILABLE", `Cannot write "${path}"`);
    if (await isAbandoned(path)) await rm(path, { force: true });
    return false;
  }
}

async function isAbandoned(path: string): Promise<boolean> {
  const owner = Number(await readFile(path, "utf8").catch(() => ""));
  // Its owner has made it a moment ago and not written yet, or has just removed it.
  if (!Number.isSafeInteger(owner) || owner <= 0) return false;
  if (owner === process.pid) return !held.has(path);
  try {
    process.kill(owner, 0);
    return false;
  } catch (error) {
    return error instanceof Error && "code" in error && error.code === "ESRCH";
  }
}
