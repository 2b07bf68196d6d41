import assert from "node:assert/strict";
import { test } from "node:test";
import type { StoreBytes } from "../files/files.ts";
import { systemClock } from "../foundation/clock.ts";
import { StrataError } from "../foundation/errors.ts";
import { createMemoryStore } from "../storage/memory/memory-store.ts";
import type { BlobDriver } from "../storage/storage.ts";
import { Arrival } from "../listener/arrival.ts";
import { ownOrigin } from "../listener/intake.ts";
import { receiveUpload, type Upload } from "./upload.ts";

const purpose = '--B\r\ncontent-disposition: form-data; name="purpose"\r\n\r\nfine-tune\r\n';

function fileHead(disposition: string): string {
  return `--B\r\nContent-Disposition: form-data; ${disposition}\r\ncontent-type: text/csv\r\n\r\n`;
}

function fileForm(content: string, disposition = 'name="file"; filename="dir/a.txt"'): string {
  return `${fileHead(disposition)}${content}\r\n--B--\r\n`;
}

/** A request whose body arrives in these pieces. */
function requestOf(...pieces: readonly string[]): Request {
  const body = ReadableStream.from(pieces.map((piece) => Buffer.from(piece, "latin1")));
  const headers = { "content-type": "multipart/form-data; boundary=B" };
  const init = { method: "POST", headers, body, duplex: "half" } as const;
  return new Request("http://local/v1/files", init);
}

interface Sink {
  readonly blobs: BlobDriver;
  readonly store: StoreBytes;
}

function receive(request: Request, { store }: Pick<Sink, "store">): Promise<Upload> {
  return receiveUpload(request, { store, arrival: new Arrival(systemClock, ownOrigin) });
}

function sinkOf(bytesMax = 1_000_000): Sink {
  const { blobs } = createMemoryStore();
  return { blobs, store: (chunks) => blobs.putStream(chunks, bytesMax) };
}

/** Takes ten bytes. */
function smallSink(): Sink {
  return sinkOf(10);
}

test("the bytes arrive, and the name without its folder", async () => {
  const sink = smallSink();
  const upload = await receive(requestOf(fileForm("0123456789")), sink);
  assert.equal(upload.filename, "a.txt");
  assert.equal(upload.bytes, 10);
  assert.equal(Buffer.from(await sink.blobs.get(upload.digest)).toString(), "0123456789");
});

test("file names are read in every form that clients write", async () => {
  const utf8 = Buffer.from("日本.csv").toString("latin1");
  const names = new Map([
    [`name="file"; filename="${utf8}"`, "日本.csv"],
    ["name=file; filename=a.csv", "a.csv"],
    ['name="file"; filename="a \\"b\\".csv"', 'a "b".csv'],
    ['name="file"; filename="x"; filename*=UTF-8\'\'%e2%82%ac.csv', "€.csv"],
    ['name="file"; filename="C:\\dir\\a.csv"', "a.csv"],
    ['name="file"', ""],
  ]);
  for (const [disposition, filename] of names) {
    const upload = await receive(requestOf(fileForm("a", disposition)), smallSink());
    assert.equal(upload.filename, filename);
  }
});

test("where the network cuts a form makes no difference", async () => {
  const content = "a\r\n--\r\n-\r\n-B\r-";
  const form = `preamble\r\n${purpose}${fileForm(content)}epilogue`;
  for (let at = 1; at < form.length; at++) {
    const sink = sinkOf();
    const upload = await receive(requestOf(form.slice(0, at), form.slice(at)), sink);
    const stored = await sink.blobs.get(upload.digest);
    assert.equal(Buffer.from(stored).toString(), content, `cut at ${at}`);
    assert.equal(upload.fields.get("purpose"), "fine-tune");
  }
  assert.equal((await receive(requestOf(...form.split("")), sinkOf())).bytes, content.length);
});

test("a form that is broken, anywhere, is answered", async () => {
  const form = `${purpose}${fileForm("0123456789")}`;
  for (let end = 0; end < form.length - 4; end++)
    await assert.rejects(receive(requestOf(form.slice(0, end)), smallSink()), {
      code: "INVALID_ARGUMENT",
    });
  // Long enough to fill any buffer on the way.
  const long = "x".repeat(40_000);
  const broken = new Map([
    [`--B\r\n\r\n${long}\r\n--B--\r\n`, /headers that cannot be read/],
    [`--B\r\ncontent-type: text/plain\r\n\r\n${long}\r\n--B--\r\n`, /no form-data disposition/],
    [fileForm(long, 'filename="a"').replace("form-data", "attachment"), /no form-data disposition/],
    [fileForm(long, 'filename="a"'), /has no name/],
    [fileForm(long, "name=file; filename*=UTF-8''%ff"), /Cannot read the upload: URI malformed/],
    [`--B\r\n${long}`, /headers that cannot be read/],
    [long, /ends before its last boundary/],
  ]);
  for (const [body, message] of broken)
    await assert.rejects(receive(requestOf(body), sinkOf()), { message });
});

test("a part that nobody asked for is refused by its name", async () => {
  const expiry = fileHead('name="expires_after[anchor]"');
  await assert.rejects(receive(requestOf(`${expiry}created_at\r\n--B--\r\n`), sinkOf()), {
    code: "INVALID_ARGUMENT",
    field: "expires_after[anchor]",
    message: /unknown part "expires_after\[anchor\]", expected purpose and file/,
  });
});

test("what the store refuses is told as the store says it", async () => {
  const tooLong = requestOf(fileForm("0123456789a".repeat(20_000)));
  await assert.rejects(receive(tooLong, smallSink()), { code: "TOO_LARGE" });
  const full = new StrataError("UNAVAILABLE", "Cannot write: no space left");
  const store = () => Promise.reject(full);
  await assert.rejects(receive(requestOf(fileForm("a")), { store }), full);
});
