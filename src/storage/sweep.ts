/**
 * Sets aside what a crash left between storing a blob and naming it. A catalog may have lost rows
 * too, or be an older one that was put back; so nothing is removed that it does not name today,
 * before it has had time to be missed.
 */
import { limits } from "../foundation/limits.ts";
import type { Store } from "./storage.ts";

const dayMs = 24 * 60 * 60 * 1000;

export interface Sweep {
  /** Blobs that no row names any more: they are in quarantine from now on. */
  readonly quarantinedCount: number;
  /** Blobs of the quarantine that a row names again: they are back. */
  readonly restoredCount: number;
  /** Blobs that were in quarantine for `quarantineDaysMax`: they are gone. */
  readonly removedCount: number;
}

/**
 * Sorts the blobs by what the catalog names; CORRUPT, and nothing is touched, when it cannot be
 * read whole. To be called right after opening, before anybody stores a blob that is to be named.
 */
export async function sweepBlobs(store: Store, nowMs: number): Promise<Sweep> {
  const { blobs, catalog, quarantine } = store;
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
