/** What a start makes of jobs that a crash has left. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { prepared, named, weightsOf } from "../creator/exam-model.ts";
import { operator } from "../entities/caller.ts";
import { advance, queuedJob } from "../entities/job.ts";
import { createFiles } from "../files/store-files.ts";
import { systemClock } from "../foundation/clock.ts";
import { systemIds } from "../foundation/random.ts";
import { silentTelemetry } from "../foundation/telemetry.ts";
import { createMemoryStore } from "../storage/memory/memory-store.ts";
import { JobTrainer } from "./job-trainer.ts";

test("a job whose version was out before a crash ends and tells no count of tokens", async () => {
  const store = createMemoryStore();
  const parts = { store, clock: systemClock, ids: systemIds, telemetry: silentTelemetry };
  const creator = await prepared(store);
  const own = store.catalog.of(operator);
  const target = await own.models.get("a");
  assert.ok(target !== undefined);
  const queued = queuedJob(
    { model: "a", trainingFile: "file-1" },
    { id: "ftjob-1", target, createdAt: 0 },
  );
  await own.jobs.insert(advance(queued, "running"));
  await creator.publish(operator, named("a"), { ...weightsOf(1), job: queued.id });
  const trainer = new JobTrainer({
    ...{ ...parts, creator },
    files: createFiles(parts),
    checkBase: () => {},
    openBase: () => Promise.reject(new Error("there is nothing to train")),
  });
  await trainer.start();
  const ended = await trainer.finished(operator, queued.id);
  assert.equal(ended.status, "succeeded");
  // How many there were has gone with the process that has trained on them.
  assert.equal(ended.trainedTokens, undefined);
  const messages = (await own.events.list(queued.id, { limit: 9 })).map(({ message }) => message);
  assert.deepEqual(messages.toSorted(), [
    "The job has succeeded",
    "The server stopped during the run; the job begins again",
  ]);
  await trainer.close();
});
