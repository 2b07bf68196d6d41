/**
 * Sets aside what a crash left between storing a blob and naming it. A catalog may have lost rows
 * too, or be an older one that was put back; so nothing is removed that it does not name today,
 * before it has had time to be missed.
 */
import { limits } from "../foundation/limits.ts";
import type { BlobDriver, Catalog, Quarantine, Sweep } from "./storage.ts";

const dayMs = 24 * 60 * 60 * 1000;

/** A store's blobs, wherever they lie, and what names them. */
export interface KeptParts {
  readonly blobs: BlobDriver;
  readonly quarantine: Quarantine;
  readonly catalog: Catalog;
}

/**
 * Sorts the blobs by what the catalog names; CORRUPT, and nothing is touched, when it cannot be
 * read whole. To be called right after opening, before anybody stores a blob that is to be named.
 */
export async function sweepBlobs(
  { blobs, catalog, quarantine }: KeptParts,
  nowMs: number,
): Promise<Sweep> {
  const named = await catalog.system.namedBlobs();
  let [quarantinedCount, restoredCount, removedCount] = [0, 0, 0];
  // First what lies there already: nothing is set aside and removed by the same sweep.
  for await (const { digest, sinceMs } of quarantine.list()) {
    if (named.has(digest)) {
      await quarantine.restore(digest);
      restoredCount += 1;
    } else if (nowMs - sinceMs > limits.quarantineDaysMax * dayMs) {
      await quarantine.remove(digest);
      removedCount += 1;
    }
  }
  for await (const digest of blobs.list()) {
    if (named.has(digest)) continue;
    await quarantine.add(digest, nowMs);
    quarantinedCount += 1;
  }
  return { quarantinedCount, restoredCount, removedCount };
}
