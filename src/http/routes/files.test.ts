/** Checks how many uploads are looked through at once, and that downloads let go of their files. */
import assert from "node:assert/strict";
import { readdirSync, readlinkSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { createFiles } from "../../files/store-files.ts";
import { systemClock } from "../../foundation/clock.ts";
import { digestOf } from "../../foundation/digest.ts";
import { limits } from "../../foundation/limits.ts";
import { openFileStore } from "../../storage/files/file-store.ts";
import type { Blobs, Store } from "../../storage/storage.ts";
import { createHttp } from "../http.ts";
import { listen, type Listener } from "../../listener/listener.ts";
import { standInKey, standInServices } from "../exam-services.ts";

/** Blobs whose `stream` takes a while, and how many of them ran at once. */
function slowBlobs(blobs: Blobs): { readonly blobs: Blobs; readonly seen: { countMax: number } } {
  const seen = { count: 0, countMax: 0 };
  const stream: Blobs["stream"] = async function* (digest) {
    seen.count += 1;
    seen.countMax = Math.max(seen.countMax, seen.count);
    for (let turn = 0; turn < 20; turn++) await new Promise((resolve) => setImmediate(resolve));
    yield* blobs.stream(digest);
    seen.count -= 1;
  };
  const slow: Blobs = {
    get: (digest) => blobs.get(digest),
    stream,
    has: (digest) => blobs.has(digest),
    list: () => blobs.list(),
    faults: blobs.faults,
    isWhole: (digest) => blobs.isWhole(digest),
  };
  return { blobs: slow, seen };
}

interface Parts {
  readonly bytes: string;
  readonly purpose?: string;
}

function uploadOf({ bytes, purpose }: Parts): Request {
  const body = new FormData();
  if (purpose !== undefined) body.append("purpose", purpose);
  body.append("file", new Blob([bytes]), "a.csv");
  const headers = { authorization: `Bearer ${standInKey}` };
  return new Request("http://local/v1/files", { method: "POST", headers, body });
}

test("equal bytes uploaded at once do not depend on each other", async () => {
  const services = await standInServices(systemClock);
  const http = createHttp(services);
  const headers = { authorization: `Bearer ${standInKey}` };
  const call = (method: string, path: string): Promise<Response> =>
    Promise.resolve(http.fetch(new Request(`http://local${path}`, { method, headers })));
  const bytes = "text,label\na,x\nb,y\n";
  for (let round = 0; round < 10; round++) {
    const kept = await Promise.all(
      Array.from({ length: 6 }, async (_, index) => {
        for (let turn = 0; turn < index; turn++) await new Promise(setImmediate);
        // By turns one that is refused, one that is deleted at once, and one that stays.
        const purpose = index % 3 === 0 ? {} : { purpose: "fine-tune" };
        const answer = await http.fetch(uploadOf({ bytes, ...purpose }));
        assert.equal(answer.status, index % 3 === 0 ? 400 : 200, `round ${round}, ${index}`);
        const { id } = (await answer.json()) as { id: string }; // The answer's own shape.
        if (index % 3 !== 1) return index % 3 === 2 ? id : undefined;
        assert.equal((await call("DELETE", `/v1/files/${id}`)).status, 200);
        return undefined;
      }),
    );
    for (const id of kept.filter((each) => each !== undefined)) {
      const content = await call("GET", `/v1/files/${id}/content`);
      assert.equal(await content.text(), bytes);
      await call("DELETE", `/v1/files/${id}`);
    }
    assert.equal(await services.store.blobs.has(digestOf(bytes)), false);
  }
});

test("as many files are checked at once as the limit says, the rest in turn", async () => {
  const services = await standInServices(systemClock);
  const { blobs, seen } = slowBlobs(services.store.blobs);
  const { clock, ids } = services;
  const files = createFiles({ store: { ...services.store, blobs }, clock, ids });
  const http = createHttp({ ...services, files });
  const upload = async (_: unknown, index: number): Promise<number> => {
    const request = uploadOf({ bytes: `text,label\na ${index},x\n`, purpose: "fine-tune" });
    return (await http.fetch(request)).status;
  };
  const statuses = await Promise.all(Array.from({ length: 6 }, upload));
  assert.deepEqual(statuses, Array(6).fill(200));
  assert.equal(seen.countMax, limits.fileCheckCountMax);
});

const linuxOnly = {
  skip: process.platform === "linux" ? false : "open files are counted in /proc",
};

describe("a download leaves no file open", () => {
  const bytes = "text,label\n".padEnd(4 * 1024 * 1024, "x");
  let folder: string;
  let store: Store;
  let listener: Listener;
  let path: string;

  before(async () => {
    folder = await mkdtemp(join(tmpdir(), "strata-files-"));
    store = await openFileStore(folder);
    const services = await standInServices(systemClock);
    const { clock, ids } = services;
    const files = createFiles({ store, clock, ids });
    const http = createHttp({ ...services, files });
    const uploaded = await http.fetch(uploadOf({ bytes, purpose: "user_data" }));
    const { id } = (await uploaded.json()) as { id: string }; // The answer's own shape.
    path = `/v1/files/${id}/content`;
    listener = await listen(http, { clock: systemClock, port: 0 });
  });

  after(async () => {
    await listener.close();
    await store.close();
    await rm(folder, { recursive: true });
  });

  const authorization = `Bearer ${standInKey}`;

  test("that its client leaves", linuxOnly, async () => {
    for (let round = 0; round < 4; round++) {
      const abort = new AbortController();
      const { signal } = abort;
      const answer = await fetch(listener.url + path, { headers: { authorization }, signal });
      assert.equal(answer.status, 200);
      await answer.body?.getReader().read();
      assert.equal(openBlobCount(folder), 1);
      abort.abort();
      await noneOpen(folder);
    }
  });

  test("of which only the head is asked for", linuxOnly, async () => {
    for (let round = 0; round < 4; round++) {
      const answer = await fetch(listener.url + path, {
        method: "HEAD",
        headers: { authorization },
      });
      assert.equal(answer.status, 200);
      assert.equal(answer.headers.get("content-length"), String(bytes.length));
      assert.equal(openBlobCount(folder), 0);
      assert.equal(await answer.text(), "");
    }
  });
});

/** How many of the folder's blobs this process has open. */
function openBlobCount(folder: string): number {
  const blobs = join(folder, "blobs");
  return readdirSync("/proc/self/fd").filter((fd) => {
    try {
      return readlinkSync(`/proc/self/fd/${fd}`).startsWith(blobs);
    } catch {
      return false; // The one of the listing itself.
    }
  }).length;
}

/** Comes back once all blobs are closed; a blob that stays open ends the test at its time. */
async function noneOpen(folder: string): Promise<void> {
  const until = performance.now() + 5_000;
  while (openBlobCount(folder) > 0) {
    assert.ok(performance.now() < until, "the blob is closed");
    await new Promise((resolve) => setImmediate(resolve));
  }
}
