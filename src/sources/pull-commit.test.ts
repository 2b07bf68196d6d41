import assert from "node:assert/strict";
import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, it } from "node:test";
import { systemClock } from "../foundation/clock.ts";
import { digestOf } from "../foundation/digest.ts";
import { silentTelemetry } from "../foundation/telemetry.ts";
import { openPulledBase } from "./base-cache.ts";
import { FileServer, hubFolder } from "./exam-file-server.ts";
import { pullBase, type PullOptions } from "./pull.ts";
import { tinyCheckpoint } from "../checkpoints/exam-tiny-checkpoint.ts";

const files = tinyCheckpoint();

let server: FileServer;
let cacheFolder = "";
let options: PullOptions;
beforeEach(async () => {
  server = await FileServer.start();
  cacheFolder = await mkdtemp(join(tmpdir(), "strata-commit-"));
  const environment = { HF_ENDPOINT: server.address };
  const network = { environment, fetch, clock: systemClock, telemetry: silentTelemetry };
  options = { cacheFolder, ...network, bases: [] };
});
afterEach(async () => {
  await server.stop();
  await rm(cacheFolder, { recursive: true });
});

describe("pulling a branch that moves meanwhile", () => {
  const commits = ["a", "b"].map((letter) => letter.repeat(40)) as [string, string]; // two
  const other = { ...files, "vocab.txt": `${String(files["vocab.txt"]).trim()}s\n` };

  /** Lets `main` be a commit; the files of both are there by their names. */
  function serveMain(commit: string): void {
    server.serveHub(commits[0], files);
    server.serveHub(commits[1], other);
    const headers = { "x-repo-commit": commit };
    const body = server.files.get(`${hubFolder}/${commit}/config.json`)?.body ?? "";
    server.files.set(`${hubFolder}/main/config.json`, { body, headers });
  }

  /** A pull of the first commit that breaks in the weights and is given up. */
  async function pullHalf(): Promise<void> {
    serveMain(commits[0]);
    const controller = new AbortController();
    const onProgress = ({ file }: { readonly file: string }): void => {
      if (file === "model.safetensors") controller.abort();
    };
    const half = { ...options, signal: controller.signal, onProgress };
    await assert.rejects(pullBase("hf:owner/tiny", half), { code: "CANCELLED" });
  }

  const vocabulary = async (): Promise<string> =>
    readFile(join((await openPulledBase(cacheFolder, "tiny")).folder, "vocab.txt"), "utf8");

  it("goes on with what is of the same commit", async () => {
    await pullHalf();
    server.requests.length = 0;
    const base = await pullBase("hf:owner/tiny", options);
    const asked = server.requests.map(({ path }) => path.replace(`${hubFolder}/`, ""));
    assert.ok(!asked.includes(`${commits[0]}/vocab.txt`), asked.join());
    assert.equal(await vocabulary(), files["vocab.txt"]);
    assert.equal(base.commit, commits[0]);
    assert.ok(!(await readdir(base.folder)).includes(".commit"));
  });

  it("begins anew with the later commit, and mixes nothing", async () => {
    await pullHalf();
    serveMain(commits[1]);
    const base = await pullBase("hf:owner/tiny", options);
    assert.equal(await vocabulary(), other["vocab.txt"]);
    assert.equal(base.commit, commits[1]);
    const whole = Object.entries(other).map(([path, body]) => [path, digestOf(body)] as const);
    const found = Object.entries(base.files).map(([path, { digest }]) => [path, digest] as const);
    assert.deepEqual(new Map(found), new Map(whole));
  });

  it("brings a damaged base again as the commit that it was", async () => {
    serveMain(commits[0]);
    const first = await pullBase("hf:owner/tiny", options);
    serveMain(commits[1]);
    const path = join(first.folder, "vocab.txt");
    await writeFile(path, (await readFile(path, "utf8")).replace("lamp", "lump"));
    const again = await pullBase("hf:owner/tiny", options);
    assert.equal(again.digest, first.digest);
    await rm(path);
    assert.equal((await pullBase("hf:owner/tiny", options)).digest, first.digest);
    assert.equal(await vocabulary(), files["vocab.txt"]);
  });

  it("refuses a hub that answers with another commit than it was asked for", async () => {
    serveMain(commits[0]);
    const body = files["vocab.txt"] ?? "";
    const headers = { "x-repo-commit": commits[1] };
    server.files.set(`${hubFolder}/${commits[0]}/vocab.txt`, { body, headers });
    await assert.rejects(pullBase("hf:owner/tiny", options), {
      message: /asked for commit a+, the hub answered with b+/,
    });
  });

  it("begins anew when the hub names no commit", async () => {
    await pullHalf();
    server.serveHub("main", other);
    await pullBase("hf:owner/tiny", options);
    assert.equal(await vocabulary(), other["vocab.txt"]);
  });
});
