/** A file as an upload leaves it, without the upload. */
import { operator } from "../entities/caller.ts";
import { systemIds } from "../foundation/random.ts";
import type { StoreDriver } from "../storage/storage.ts";

/** Stores a file of the operator's, of which the task is not known yet; returns its id. */
export async function storedFile(
  { blobs, catalog }: Pick<StoreDriver, "blobs" | "catalog">,
  content: string,
): Promise<string> {
  const bytes = new TextEncoder().encode(content);
  const id = systemIds.next("file-");
  await catalog.of(operator).files.insert({
    id,
    filename: "train.jsonl",
    purpose: "fine-tune",
    bytes: bytes.length,
    blob: await blobs.put(bytes),
    task: undefined,
    createdAt: 0,
    faultSummary: undefined,
  });
  return id;
}
