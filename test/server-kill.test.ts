/**
 * A real server is killed (SIGKILL) in the middle of a job: everything that it had acknowledged is
 * there after a restart, and the job runs again to its end.
 */
import assert from "node:assert/strict";
import { once } from "node:events";
import { after, before, test } from "node:test";
import { systemClock } from "../src/foundation/clock.ts";
import { ProgramFolder } from "./exam-program.ts";

let folder: ProgramFolder;

before(async () => {
  folder = await ProgramFolder.create();
  const pulled = await folder.run(["base", "pull", "tiny", "--source", `dir:${folder.path}/tiny`]);
  assert.equal(pulled.status, 0, pulled.errors);
});

after(() => folder.remove());

function linesOf(count: number): Blob {
  const lines = Array.from({ length: count }, (_, index) => {
    const isLamp = index % 2 === 0;
    return { text: isLamp ? "lamp lamp" : `shade ${index}`, label: isLamp ? "light" : "other" };
  });
  return new Blob([lines.map((line) => JSON.stringify(line)).join("\n")]);
}

async function kill(server: Awaited<ReturnType<ProgramFolder["serve"]>>): Promise<void> {
  server.kill("SIGKILL");
  assert.deepEqual(await once(server, "exit"), [null, "SIGKILL"]);
}

test("a server killed in a job loses nothing, and ends the job after a restart", async () => {
  let server = await folder.serve();
  const file = await folder.client.uploadFile(linesOf(3000), "lamps.jsonl");
  await folder.client.createModel({ id: "before", base: "tiny", training_file: file.id });
  const method = (epochCount: number) => ({
    type: "supervised" as const,
    supervised: { hyperparameters: { n_epochs: epochCount } },
  });
  const job = await folder.client.createJob({
    model: "tiny",
    training_file: file.id,
    suffix: "killed",
    method: method(6),
  });
  const waiting = await folder.client.createJob({
    model: "before",
    training_file: file.id,
    method: method(1),
  });
  await folder.firstStep(job.id);
  const early = await folder.client.job(job.id);
  assert.equal(early.status, "running");
  const text = "lamp lamp";
  const answer = await folder.client.classify({ model: "before", input: [text] });
  await kill(server);

  // Killed twice: the second time right after the start.
  server = await folder.serve();
  await kill(server);

  server = await folder.serve();
  const files = await folder.client.files();
  assert.ok(files.some(({ id, bytes }) => id === file.id && bytes === file.bytes));
  const again = await folder.client.classify({ model: "before", input: [text] });
  assert.deepEqual(again.data, answer.data);
  for (const { id } of [job, waiting]) {
    const done = await folder.client.waitForJob(id, { clock: systemClock, pollMs: 50 });
    assert.equal(done.status, "succeeded", JSON.stringify(done.error));
  }
  const done = await folder.client.job(job.id);
  const model = done.fine_tuned_model ?? "";
  assert.match(model, /^ft:tiny:strata:killed:/);
  const versions = await folder.client.versions(model);
  // One instant and one trained version, however often the job was begun.
  assert.deepEqual(
    versions.map(({ kind }) => kind),
    ["instant", "trained"],
  );
  const served = await folder.client.classify({ model, input: [text, "shade"] });
  assert.equal(served.data.length, 2);
  server.kill("SIGTERM");
  await once(server, "exit");
});
