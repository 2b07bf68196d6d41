/** Checks how many uploads are looked through at once. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { systemClock } from "../foundation/clock.ts";
import { limits } from "../foundation/limits.ts";
import type { Blobs } from "../storage/storage.ts";
import { createHttp } from "./http.ts";
import { standInKey, standInServices } from "./stand-ins.ts";

/** Blobs whose `get` takes a while, and how many of them ran at once. */
function slowBlobs(blobs: Blobs): { readonly blobs: Blobs; readonly seen: { countMax: number } } {
  const seen = { count: 0, countMax: 0 };
  const get: Blobs["get"] = async (digest) => {
    seen.count += 1;
    seen.countMax = Math.max(seen.countMax, seen.count);
    for (let turn = 0; turn < 20; turn++) await new Promise((resolve) => setImmediate(resolve));
    seen.count -= 1;
    return blobs.get(digest);
  };
  const slow: Blobs = {
    get,
    put: (bytes) => blobs.put(bytes),
    putStream: (chunks, bytesMax) => blobs.putStream(chunks, bytesMax),
    stream: (digest) => blobs.stream(digest),
    has: (digest) => blobs.has(digest),
    list: () => blobs.list(),
    remove: (digest) => blobs.remove(digest),
  };
  return { blobs: slow, seen };
}

test("as many files are checked at once as the limit says, the rest in turn", async () => {
  const services = await standInServices(systemClock);
  const { blobs, seen } = slowBlobs(services.store.blobs);
  const http = createHttp({ ...services, store: { ...services.store, blobs } });
  const upload = async (_: unknown, index: number): Promise<number> => {
    const body = new FormData();
    body.append("purpose", "fine-tune");
    body.append(
      "file",
      new Blob([
        `text,label
a ${index},x
`,
      ]),
      "a.csv",
    );
    const headers = { authorization: `Bearer ${standInKey}` };
    const request = new Request("http://local/v1/files", { method: "POST", headers, body });
    return (await http.fetch(request)).status;
  };
  const statuses = await Promise.all(Array.from({ length: 6 }, upload));
  assert.deepEqual(statuses, Array(6).fill(200));
  assert.equal(seen.countMax, limits.fileCheckCountMax);
});
