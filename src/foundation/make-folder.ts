/** Folders that are there afterwards, with those above them. */
import { mkdir, stat } from "node:fs/promises";
import { dirname, resolve } from "node:path";

/**
 * Makes the folder and those above it; one that exists is no error. Each is made by a call of its
 * own: Node's recursive `mkdir` tries for ever below a folder that answers ENOENT, as `/proc` does.
 */
export async function makeFolder(path: string, mode = 0o777): Promise<void> {
  const place = resolve(path);
  if (await isFolder(place)) return;
  const above = dirname(place);
  if (above !== place) await makeFolder(above, mode);
  try {
    await mkdir(place, { mode });
  } catch (error) {
    // Another process may have been faster.
    if (!(await isFolder(place))) throw error;
  }
}

async function isFolder(path: string): Promise<boolean> {
  try {
    return (await stat(path)).isDirectory();
  } catch {
    return false;
  }
}
