import assert from "node:assert/strict";
import { test } from "node:test";
import { StrataError } from "../foundation/errors.ts";
import { createMemoryStore } from "../storage/memory/memory-store.ts";
import type { Blobs } from "../storage/storage.ts";
import { receiveUpload } from "./upload.ts";

function requestOf(content: string): Request {
  const part = 'content-disposition: form-data; name="file"; filename="dir/a.txt"';
  const body = `--B\r\n${part}\r\n\r\n${content}\r\n--B--\r\n`;
  const headers = { "content-type": "multipart/form-data; boundary=B" };
  return new Request("http://local/v1/files", { method: "POST", headers, body });
}

const drop = (): Promise<void> => Promise.resolve();

/** Blobs that take ten bytes. */
function smallBlobs(): Blobs {
  const { blobs } = createMemoryStore();
  return {
    put: (bytes) => blobs.put(bytes),
    putStream: (chunks) => blobs.putStream(chunks, 10),
    get: (digest) => blobs.get(digest),
    stream: (digest) => blobs.stream(digest),
    has: (digest) => blobs.has(digest),
    list: () => blobs.list(),
    remove: (digest) => blobs.remove(digest),
  };
}

test("the bytes arrive, and the name without its folder", async () => {
  const blobs = smallBlobs();
  const upload = await receiveUpload(requestOf("0123456789"), { blobs, drop });
  assert.equal(upload.filename, "a.txt");
  assert.equal(upload.bytes, 10);
  assert.equal(Buffer.from(await blobs.get(upload.digest)).toString(), "0123456789");
});

test("what the store refuses is told as the store says it", async () => {
  const tooLong = requestOf("0123456789a".repeat(20_000));
  const upload = receiveUpload(tooLong, { blobs: smallBlobs(), drop });
  await assert.rejects(upload, { code: "TOO_LARGE" });
  const full = new StrataError("UNAVAILABLE", "Cannot write: no space left");
  const blobs = { ...smallBlobs(), putStream: () => Promise.reject(full) };
  await assert.rejects(receiveUpload(requestOf("a"), { blobs, drop }), full);
});
