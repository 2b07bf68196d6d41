/**
 * How a server starts and ends: whatever fails ends the process with its exit status, a damaged
 * base is named and stops no other, and a signal ends it in order at any moment.
 */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { once } from "node:events";
import { mkdir, readFile, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { join } from "node:path";
import { afterEach, beforeEach, describe, it } from "node:test";
import { text } from "node:stream/consumers";
import { present } from "../src/foundation/assert.ts";
import { errorCodes } from "../src/foundation/errors.ts";
import { type Outcome, ProgramFolder } from "./exam-program.ts";

let folder: ProgramFolder;
beforeEach(async () => {
  folder = await ProgramFolder.create();
  await pull("tiny");
});
afterEach(() => folder.remove());

async function pull(id: string): Promise<void> {
  const pulled = await folder.run(["base", "pull", id, "--source", `dir:${folder.path}/tiny`]);
  assert.equal(pulled.status, 0, pulled.errors);
}

/** Turns one bit of a file of a pulled base; the size stays. */
async function flip(id: string, file: string, at = -3): Promise<void> {
  const path = join(folder.path, "cache", "bases", id, file);
  const bytes = await readFile(path);
  const place = at < 0 ? bytes.length + at : at;
  bytes.writeUInt8(bytes.readUInt8(place) ^ 1, place);
  await writeFile(path, bytes);
}

const serveWords = ["serve", "--port", "0", "--json", "--precision", "fp32"];

async function failedStart(words = serveWords): Promise<Outcome> {
  const outcome = await folder.run(words);
  assert.equal(outcome.output, "", "no address is told");
  return outcome;
}

async function createLamps(id = "lamps", base = "tiny"): Promise<void> {
  const { client } = folder;
  const lines = ["lamp", "shade"].flatMap((word) =>
    Array.from({ length: 10 }, (_, n) => JSON.stringify({ text: `${word} ${n}`, label: word })),
  );
  const file = await client.uploadFile(new Blob([lines.join("\n")]), "lamps.jsonl");
  await client.createModel({ id, base, training_file: file.id });
}

describe("a start that fails", { timeout: 120_000 }, () => {
  for (const [file, at] of [
    ["model.safetensors", -3],
    ["config.json", 20],
    ["vocab.txt", 2],
    ["base.json", 30],
  ] as const)
    it(`ends with the status of CORRUPT when a bit of ${file} has turned`, async () => {
      await flip("tiny", file, at);
      const { status, errors } = await failedStart();
      assert.equal(status, errorCodes.CORRUPT.cliExit, errors);
      assert.ok(errors.includes(file), errors);
      assert.match(errors, /strata base pull tiny --source/);
    });

  it("ends when the port is taken, and leaves the home free", async () => {
    const other = createServer().listen(0, "127.0.0.1");
    await once(other, "listening");
    const { port } = other.address() as { port: number }; // it listens on TCP
    const { status, errors } = await failedStart(["serve", "--port", String(port), "--json"]);
    other.close();
    assert.equal(status, errorCodes.UNAVAILABLE.cliExit, errors);
    const server = await folder.serve();
    server.kill("SIGTERM");
    assert.deepEqual(await once(server, "exit"), [0, null]);
  });

  it("ends when another base has taken the name of one that models stand on", async () => {
    const server = await folder.serve();
    await createLamps();
    server.kill("SIGTERM");
    await once(server, "exit");
    await rm(join(folder.path, "cache"), { recursive: true });
    await folder.write(join("tiny", "modules.json"), "[]");
    await pull("tiny");
    const { status, errors } = await failedStart();
    assert.equal(status, errorCodes.CONFLICT.cliExit, errors);
    assert.match(errors, /model \\"lamps\\" was made for sha256:/);
  });

  it("ends when the disk is full", async (context) => {
    const home = join(folder.path, "home");
    await mkdir(home, { recursive: true });
    const mounted = spawnSync("mount", ["-t", "tmpfs", "-o", "size=1m", "tmpfs", home]);
    if (mounted.status !== 0) {
      context.skip("no small disk can be mounted here, which takes root on Linux");
      return;
    }
    try {
      await assert.rejects(writeFile(join(home, "filler"), Buffer.alloc(2 << 20)), /ENOSPC/);
      const { status, errors } = await failedStart([...serveWords, "--api-key", "k"]);
      assert.equal(status, errorCodes.UNAVAILABLE.cliExit, errors);
    } finally {
      spawnSync("umount", [home]);
    }
  });
});

describe("a server of two bases, one damaged", { timeout: 120_000 }, () => {
  it("serves the other, and says which is damaged, why, and what to do", async () => {
    await pull("second");
    const server = await folder.serve();
    await createLamps("healthy", "tiny");
    await createLamps("broken", "second");
    server.kill("SIGTERM");
    await once(server, "exit");
    await flip("second", "vocab.txt", 2);

    const damaged = await folder.serve();
    const log = text(present(damaged.stderr, "piped"));
    const answer = await folder.client.classify({ model: "healthy", input: ["lamp"] });
    assert.equal(answer.data.length, 1);
    for (const model of ["broken", "second"])
      await assert.rejects(folder.client.embed({ model, input: ["lamp"] }), {
        code: "CONFLICT",
        message: /"second": Cannot read vocab.txt: expected sha256/,
      });
    const doctor = await folder.run(["doctor"]);
    assert.equal(doctor.status, errorCodes.UNSUPPORTED.cliExit);
    assert.match(doctor.output, /fail {2}base model "second": .*vocab.txt: expected sha256/);
    assert.match(doctor.output, /ok {4}base models: tiny: every byte/);
    const list = await folder.run(["base", "list"]);
    assert.match(list.output, /second +damaged/);
    damaged.kill("SIGTERM");
    assert.deepEqual(await once(damaged, "exit"), [0, null]);
    assert.match(await log, /"base":"second".*vocab.txt.*A base model is not served/);

    // The advice mends it.
    await pull("second");
    const mended = await folder.serve();
    assert.equal((await folder.client.classify({ model: "broken", input: ["x"] })).data.length, 1);
    mended.kill("SIGTERM");
    assert.deepEqual(await once(mended, "exit"), [0, null]);
  });
});

describe("names of bases and models", { timeout: 120_000 }, () => {
  it("are one space: a pull does not take a model's name, nor does a start", async () => {
    const server = await folder.serve();
    await createLamps("lamps");
    const pulled = await folder.run(["base", "pull", "lamps", "--source", `dir:${folder.path}/x`]);
    assert.equal(pulled.status, errorCodes.ALREADY_EXISTS.cliExit, pulled.errors);
    assert.match(pulled.errors, /there is a model of this name/);
    server.kill("SIGTERM");
    await once(server, "exit");

    // Pulled for another home, which has no such model.
    const words = ["base", "pull", "lamps", "--source", `dir:${folder.path}/tiny`];
    const elsewhere = await folder.run([...words, "--home", join(folder.path, "elsewhere")]);
    assert.equal(elsewhere.status, 0, elsewhere.errors);
    const again = await folder.serve();
    const answer = await folder.client.classify({ model: "lamps", input: ["lamp"] });
    assert.equal(answer.data.length, 1);
    again.kill("SIGTERM");
    assert.deepEqual(await once(again, "exit"), [0, null]);
  });
});

describe("a signal", { timeout: 120_000 }, () => {
  it("during the start ends it in order, at whatever moment it comes", async () => {
    // From before the program has loaded to after it listens.
    for (const delayMs of [150, 300, 450, 600, 900]) {
      const child = folder.start(serveWords);
      const errors = text(present(child.stderr, "piped"));
      await new Promise((resolve) => setTimeout(resolve, delayMs));
      child.kill("SIGTERM");
      const [status, signal] = (await once(child, "exit")) as [number | null, string | null]; // so
      // Until the program has taken the signal over, it ends by it.
      assert.ok(status === 0 || signal === "SIGTERM", `${delayMs} ms: ${status} ${await errors}`);
    }
  });

  it("under load ends it in order", async () => {
    const server = await folder.serve();
    const { client } = folder;
    const load = Array.from({ length: 16 }, async () => {
      for (;;) await client.embed({ model: "tiny", input: ["lamp", "shade", "lamp lamp"] });
    });
    const ended = Promise.allSettled(load);
    for (let count = 0; count < 50; count++) await client.embed({ model: "tiny", input: ["lamp"] });
    server.kill("SIGTERM");
    assert.deepEqual(await once(server, "exit"), [0, null]);
    await ended;
  });

  it("that comes twice ends it at once, and does not abort it", async () => {
    const server = await folder.serve();
    const { client } = folder;
    // What is trained runs in threads of native code.
    const lines = Array.from({ length: 20_000 }, (_, index) =>
      JSON.stringify({ text: `lamp ${index}`, label: index % 3 === 0 ? "light" : "other" }),
    );
    const file = await client.uploadFile(new Blob([lines.join("\n")]), "lamps.jsonl");
    await client.createJob({ model: "tiny", training_file: file.id });
    server.kill("SIGTERM");
    // Two at once would arrive as one.
    await new Promise((resolve) => setTimeout(resolve, 10));
    server.kill("SIGTERM");
    const [status, signal] = (await once(server, "exit")) as [number | null, string | null]; // so
    assert.ok(status === 0 || signal === "SIGTERM", `${status} ${signal}`);
  });
});
