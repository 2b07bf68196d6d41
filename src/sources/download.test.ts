import assert from "node:assert/strict";
import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, it } from "node:test";
import type { Clock } from "../foundation/clock.ts";
import { systemClock } from "../foundation/clock.ts";
import { digestOf } from "../foundation/digest.ts";
import { limits } from "../foundation/limits.ts";
import { silentTelemetry } from "../foundation/telemetry.ts";
import { type Download, download } from "./download.ts";
import { FileServer } from "./exam-file-server.ts";
import type { Network } from "./network.ts";

/** Pauses between retries take no time; nothing is ever idle. */
const hasty: Clock = {
  ...systemClock,
  schedule(delayMs, callback) {
    if (delayMs < limits.downloadIdleMsMax) setImmediate(callback);
    return () => {};
  },
};
const body = Uint8Array.from({ length: 100_000 }, (_, index) => (index * 7) % 251);
const digest = digestOf(body);

let server: FileServer;
let folder = "";
beforeEach(async () => {
  server = await FileServer.start();
  server.files.set("/file", { body });
  folder = await mkdtemp(join(tmpdir(), "strata-download-"));
});
afterEach(async () => {
  await server.stop();
  await rm(folder, { recursive: true });
});

function network(change: Partial<Network> = {}): Network {
  return { fetch, clock: hasty, telemetry: silentTelemetry, environment: {}, ...change };
}

function request(change: Partial<Download> = {}): Download {
  return {
    url: `${server.address}/file`,
    headers: {},
    target: join(folder, "file"),
    file: "file",
    digest,
    bytesMax: 1_000_000,
    ...change,
  };
}

async function expectWhole(): Promise<void> {
  assert.deepEqual(new Uint8Array(await readFile(join(folder, "file"))), body);
  assert.deepEqual(await readdir(folder), ["file"]);
}

describe("a download", { timeout: 30_000 }, () => {
  it("brings the bytes and tells its progress", async () => {
    const seen: number[] = [];
    const onProgress = (p: { receivedBytes: number; totalBytes: number | undefined }) => {
      assert.equal(p.totalBytes, body.length);
      seen.push(p.receivedBytes);
    };
    await download(request(), network({ onProgress }));
    await expectWhole();
    assert.equal(seen.at(-1), body.length);
  });

  it("continues where the connection broke", async () => {
    Object.assign(server.breaks, { afterBytes: 30_000, count: 2 });
    await download(request(), network({ onProgress: () => server.cut() }));
    await expectWhole();
    const ranges = server.requests.map(({ headers }) => headers.range);
    assert.deepEqual(ranges, [undefined, "bytes=30000-", "bytes=60000-"]);
  });

  it("continues what an earlier process has left", async () => {
    await writeFile(join(folder, "file.part"), body.subarray(0, 40_000));
    await download(request(), network());
    await expectWhole();
    assert.deepEqual(
      server.requests.map(({ headers }) => headers.range),
      ["bytes=40000-"],
    );
  });

  it("begins anew when the earlier bytes are wrong", async () => {
    await writeFile(join(folder, "file.part"), new Uint8Array(40_000));
    await download(request(), network());
    await expectWhole();
    assert.equal(server.requests.length, 2);
  });

  it("begins anew when the earlier bytes are too many", async () => {
    await writeFile(join(folder, "file.part"), new Uint8Array(200_000));
    await download(request(), network());
    await expectWhole();
  });

  it("begins anew when the file has changed since", async () => {
    await writeFile(join(folder, "file.part"), new Uint8Array(40_000));
    await writeFile(join(folder, "file.tag"), '"another"');
    await download(request({ digest: undefined }), network());
    await expectWhole();
  });

  it("does not continue without a tag or a digest", async () => {
    await writeFile(join(folder, "file.part"), new Uint8Array(40_000));
    await download(request({ digest: undefined }), network());
    await expectWhole();
  });

  it("refuses other bytes and leaves nothing", async () => {
    server.files.set("/file", { body: "other" });
    await assert.rejects(download(request(), network()), {
      code: "CORRUPT",
      message: /expected sha256/,
    });
    assert.deepEqual(await readdir(folder), []);
    assert.equal(server.requests.length, 1);
  });

  it("tries again after a server's error, but not for ever", async () => {
    server.statuses.push(503, 429);
    await download(request(), network());
    await expectWhole();
    server.statuses.push(...Array.from({ length: 100 }, () => 500));
    const again = request({ target: join(folder, "again") });
    await assert.rejects(download(again, network()), {
      code: "UNAVAILABLE",
      message: /answered 500/,
    });
    assert.equal(server.requests.length, 3 + limits.downloadRetryCountMax + 1);
  });

  it("does not try again when there is no such file or no permission", async () => {
    const url = `${server.address}/none`;
    await assert.rejects(download(request({ url }), network()), { code: "NOT_FOUND" });
    server.statuses.push(401);
    await assert.rejects(download(request(), network()), { code: "FORBIDDEN" });
    assert.equal(server.requests.length, 2);
  });

  it("stops at the allowed size", async () => {
    const small = request({ bytesMax: body.length - 1 });
    await assert.rejects(download(small, network()), { code: "TOO_LARGE" });
  });

  it("gives up when nothing arrives", async () => {
    const impatient: Clock = {
      ...systemClock,
      schedule(_, callback) {
        const immediate = setImmediate(callback);
        return () => clearImmediate(immediate);
      },
    };
    // An answer that never comes.
    const silent: typeof fetch = (_, init) =>
      new Promise((_resolve, reject) => {
        const signal = init?.signal;
        const stop = () => reject(signal?.reason as Error); // the reason is ours
        if (signal?.aborted === true) stop();
        else signal?.addEventListener("abort", stop);
      });
    const waiting = download(request(), network({ clock: impatient, fetch: silent }));
    await assert.rejects(waiting, { code: "UNAVAILABLE", message: /nothing arrived/ });
  });

  it("keeps what has arrived when it is cancelled", async () => {
    const controller = new AbortController();
    Object.assign(server.breaks, { afterBytes: 30_000, count: 1 });
    const onProgress = () => controller.abort();
    const cancelled = download(request(), network({ signal: controller.signal, onProgress }));
    await assert.rejects(cancelled, { code: "CANCELLED" });
    assert.deepEqual((await readdir(folder)).sort(), ["file.part", "file.tag"]);
    await download(request(), network());
    await expectWhole();
  });

  it("sends its token to the named host and to no other", async () => {
    const other = await FileServer.start();
    try {
      other.files.set("/elsewhere", { body });
      server.redirects.set("/file", `${other.address}/elsewhere`);
      await download(request({ headers: { authorization: "Bearer secret" } }), network());
      await expectWhole();
      assert.equal(server.requests[0]?.headers.authorization, "Bearer secret");
      assert.equal(other.requests.length, 1);
      assert.equal(other.requests[0]?.headers.authorization, undefined);
    } finally {
      await other.stop();
    }
  });

  it("says which host is not there", async () => {
    const gone = request();
    await server.stop();
    await assert.rejects(download(gone, network()), {
      code: "UNAVAILABLE",
      message: /file from 127.0.0.1:\d+: connect ECONNREFUSED/,
    });
  });
});
