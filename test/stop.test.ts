/** A server that is told to stop while it trains: it ends at once, and the job is not lost. */
import assert from "node:assert/strict";
import { once } from "node:events";
import type { Socket } from "node:net";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { setTimeout } from "node:timers/promises";
import { after, before, test } from "node:test";
import { operator } from "../src/entities/caller.ts";
import { openFileStore } from "../src/storage/files/file-store.ts";
import { ProgramFolder } from "./exam-program.ts";

/** Less than the time after which open requests would be cut off. */
const stopMsMax = 5_000;

let folder: ProgramFolder;
/** The id of the job. */
let id = "";

before(async () => {
  folder = await ProgramFolder.create();
  const pulled = await folder.run(["base", "pull", "tiny", "--source", `dir:${folder.path}/tiny`]);
  assert.equal(pulled.status, 0, pulled.errors);
});

after(() => folder.remove());

test("a server that trains stops promptly and puts its job back into the queue", async () => {
  const server = await folder.serve();
  id = await startLongJob();
  await folder.firstStep(id);
  // A connection on which nothing has ever been asked is waited for by nobody.
  const silent = await folder.connect();
  const startMs = performance.now();
  server.kill("SIGTERM");
  assert.deepEqual(await once(server, "exit"), [0, null]);
  const elapsedMs = performance.now() - startMs;
  assert.ok(elapsedMs < stopMsMax, `it took ${elapsedMs} ms`);
  silent.destroy();
  assert.equal(await storedStatus(), "queued");
});

test("the job leaves the cores to requests that have begun", async () => {
  const server = await folder.serve();
  while ((await folder.client.job(id)).status !== "running");
  // Each has half asked, after a question that tells by its answer that this has arrived.
  const askers: Socket[] = [];
  const host = "host: localhost\r\n\r\n";
  const asked = `GET /healthz HTTP/1.1\r\n${host}GET /v1/fine_tuning/jobs/${id} HTTP/1.1\r\n`;
  for (let count = 0; count < 50; count++) {
    const asker = await folder.connect();
    asker.write(asked);
    await once(asker, "data");
    askers.push(asker);
  }
  const exit = once(server, "exit");
  server.kill("SIGTERM");
  let answer = "";
  for (const asker of askers) {
    if (answer.includes('"status":"queued"')) break;
    await setTimeout(20);
    asker.write(`authorization: Bearer sk-test\r\n${host}`);
    answer = await text(asker);
  }
  assert.match(answer, /^HTTP\/1\.1 200 .*"status":"queued"/s);
  for (const asker of askers) asker.destroy();
  assert.deepEqual(await exit, [0, null]);
});

test("a server that is started again goes on with the job, and stops on SIGINT", async () => {
  const server = await folder.serve();
  while ((await folder.client.job(id)).status !== "running");
  server.kill("SIGINT");
  assert.deepEqual(await once(server, "exit"), [0, null]);
  assert.equal(await storedStatus(), "queued");
});

/** More steps than the test has time for: the labels are chance, and the epochs long. */
async function startLongJob(): Promise<string> {
  const lines = Array.from({ length: 20_000 }, (_, index) => ({
    text: `lamp ${index}`,
    label: index % 3 === 0 ? "light" : "other",
  }));
  const content = new Blob([lines.map((line) => JSON.stringify(line)).join("\n")]);
  const { client } = folder;
  const file = await client.uploadFile(content, "lamps.jsonl");
  const job = await client.createJob({
    model: "tiny",
    training_file: file.id,
    method: { type: "supervised", supervised: { hyperparameters: { n_epochs: 200 } } },
  });
  return job.id;
}

async function storedStatus(): Promise<string | undefined> {
  const store = await openFileStore(join(folder.path, "home", "store"));
  try {
    return (await store.catalog.of(operator).jobs.get(id))?.status;
  } finally {
    await store.close();
  }
}
