/** Removes what a crash left between storing a blob and naming it. */
import type { Store } from "./storage.ts";

/**
 * Removes the blobs that neither a version nor a file names, and returns how many there were. To be
 * called right after opening, before anybody stores a blob that is to be named.
 */
export async function sweepBlobs({ blobs, catalog }: Store): Promise<number> {
  const named = await catalog.versions.namedBlobs();
  let count = 0;
  for await (const digest of blobs.list()) {
    if (named.has(digest)) continue;
    await blobs.remove(digest);
    count += 1;
  }
  return count;
}
