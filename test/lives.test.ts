/**
 * Models of one name, one after the other, at every point of a running job and under requests: no
 * answer, no version and no byte of one reaches the other.
 */
import assert from "node:assert/strict";
import { once } from "node:events";
import { after, before, test } from "node:test";
import { setTimeout as wait } from "node:timers/promises";
import { StrataError } from "../src/foundation/errors.ts";
import { systemClock } from "../src/foundation/clock.ts";
import { ProgramFolder } from "./exam-program.ts";

let folder: ProgramFolder;
let server: Awaited<ReturnType<ProgramFolder["serve"]>>;

before(async () => {
  folder = await ProgramFolder.create();
  const pulled = await folder.run(["base", "pull", "tiny", "--source", `dir:${folder.path}/tiny`]);
  assert.equal(pulled.status, 0, pulled.errors);
  server = await folder.serve();
});

after(async () => {
  server.kill("SIGTERM");
  await once(server, "exit");
  await folder.remove();
});

/** Rows of two words that differ in how often they say them. */
function fileOf(lampLabel: string, otherLabel: string, count = 400): Promise<{ id: string }> {
  const rows = Array.from({ length: count }, (_, index) => {
    const word = index % 2 === 0 ? "lamp" : "shade";
    const text = Array.from({ length: 1 + (index % 7) }, () => word).join(" ");
    return JSON.stringify({ text, label: index % 2 === 0 ? lampLabel : otherLabel });
  });
  return folder.client.uploadFile(new Blob([rows.join("\n")]), "rows.jsonl");
}

/** All that a model answers to two texts, and the version that answered. */
async function answerOf(model: string): Promise<readonly unknown[]> {
  const answer = await folder.client.classify({ model, input: ["lamp", "shade"] });
  return [...answer.data, answer.version];
}

/** The labels that a model scores, in some order. */
async function labelsOf(model: string): Promise<readonly string[]> {
  const answer = await folder.client.classify({ model, input: "lamp" });
  return (answer.data[0]?.scores ?? []).map(({ label }) => label).toSorted();
}

function train(model: string, file: string, epochs: number): Promise<{ id: string }> {
  const supervised = { hyperparameters: { n_epochs: epochs } };
  const method = { type: "supervised" as const, supervised };
  return folder.client.createJob({ model, training_file: file, method });
}

test("a job that outlives its model touches no later model of the name", async () => {
  const [first, second] = [await fileOf("light", "dark"), await fileOf("no", "yes")];
  let failedCount = 0;
  for (const delayMs of [0, 1, 3, 10, 30, 60, 100, 200, 400]) {
    await folder.client.createModel({ id: "m", base: "tiny", training_file: first.id });
    assert.deepEqual(await labelsOf("m"), ["dark", "light"]);
    const job = await train("m", first.id, 200);
    await wait(delayMs);
    // The longest delays let the job end first, and publish into the model that is still its own.
    const { status } = await folder.client.job(job.id);
    await folder.client.deleteModel("m");
    await assert.rejects(answerOf("m"), { code: "NOT_FOUND" });
    await folder.client.createModel({ id: "m", base: "tiny", training_file: second.id });
    assert.deepEqual(await labelsOf("m"), ["no", "yes"]);
    const expected = await answerOf("m");
    const asked: Promise<readonly unknown[]>[] = [];
    for (let call = 0; call < 20; call++) asked.push(answerOf("m"));
    const done = await folder.client.waitForJob(job.id, { clock: systemClock, pollMs: 10 });
    if (status !== "succeeded") {
      assert.equal(done.status, "failed", `after ${delayMs} ms`);
      assert.match(done.error?.message ?? "", /deleted/);
      failedCount += 1;
    }
    asked.push(answerOf("m"));
    for (const answer of await Promise.all(asked)) assert.deepEqual(answer, expected);
    const versions = await folder.client.versions("m");
    assert.deepEqual(
      versions.map(({ kind }) => kind),
      ["instant"],
    );
    await folder.client.deleteModel("m");
  }
  assert.ok(failedCount >= 4, `${failedCount} jobs were still running`);
});

test("a derivation is of the model that it was asked of, or of none", async () => {
  const [first, second] = [await fileOf("light", "dark"), await fileOf("no", "yes")];
  for (let round = 0; round < 10; round++) {
    await folder.client.createModel({ id: "s", base: "tiny", training_file: first.id });
    const ids = Array.from({ length: 40 }, (_, index) => `d${round}-${index}`);
    const derived = folder.client.deriveModels("s", { ids, noise: 0.001, seed: 1 }).then(
      () => true,
      (error: unknown) => {
        assert.ok(error instanceof StrataError && error.code === "NOT_FOUND", String(error));
        return false;
      },
    );
    await wait(round);
    await folder.client.deleteModel("s");
    await folder.client.createModel({ id: "s", base: "tiny", training_file: second.id });
    if (await derived)
      for (const id of ids) assert.deepEqual(await labelsOf(id), ["dark", "light"]);
    else await assert.rejects(answerOf(ids[0] ?? ""), { code: "NOT_FOUND" });
    await folder.client.deleteModel("s");
  }
});
