import assert from "node:assert/strict";
import { test } from "node:test";
import { createCreator } from "../creator/store-creator.ts";
import { operator } from "../entities/caller.ts";
import { advance, queuedJob } from "../entities/job.ts";
import { systemClock } from "../foundation/clock.ts";
import { StrataError } from "../foundation/errors.ts";
import { systemIds } from "../foundation/random.ts";
import { silentTelemetry } from "../foundation/telemetry.ts";
import { exampleBase } from "../entities/exam-base.ts";
import { createMemoryStore } from "../storage/memory/memory-store.ts";
import { JobEndings } from "./job-ending.ts";
import { JobLog } from "./job-log.ts";

test("a job ends although its empty model is deleted by somebody else in between", async () => {
  const store = createMemoryStore();
  const parts = { store, clock: systemClock, ids: systemIds, telemetry: silentTelemetry };
  const creator = createCreator(parts);
  await store.catalog.bases.insert(exampleBase("tiny"));
  const model = await creator.create(operator, {
    id: "own",
    base: "tiny",
    labels: ["x", "y"],
  });
  const specification = { model: "tiny", trainingFile: "file-1" };
  const queued = queuedJob(specification, { id: "ftjob-1", target: model, createdAt: 0 });
  const running = advance(queued, "running");
  const { jobs, models } = store.catalog.of(operator);
  await jobs.insert(running);
  const endings = new JobEndings({
    ...parts,
    log: new JobLog(parts),
    creator: {
      ...creator,
      async delete(caller, found) {
        await creator.delete(caller, found);
        return creator.delete(caller, found);
      },
    },
  });
  const ended = await endings.finish(operator, running, { status: "cancelled" });
  assert.equal(ended.status, "cancelled");
  assert.equal((await jobs.get("ftjob-1"))?.status, "cancelled");
  assert.equal(await models.get("own"), undefined);
});

test("a job ends although the row of the model that it has made has rotted", async () => {
  const store = createMemoryStore();
  const queued = queuedJob(
    { model: "base-tiny", trainingFile: "file-1" },
    { id: "ftjob-1", target: { incarnation: "vplm-1" }, createdAt: 0 },
  );
  const running = advance(queued, "running", { model: "own" });
  const own = store.catalog.of(operator);
  await own.jobs.insert(running);
  const get = async (): Promise<never> => {
    throw new StrataError("CORRUPT", 'Cannot read models "own": its check is wrong');
  };
  const { models, jobs } = own;
  // It would be the same for whoever reads it.
  models.get = get;
  const parts = {
    store: { ...store, catalog: { ...store.catalog, of: () => own } },
    ...{ clock: systemClock, ids: systemIds, telemetry: silentTelemetry },
  };
  const log = new JobLog(parts);
  const endings = new JobEndings({ ...parts, log, creator: createCreator(parts) });
  await endings.finish(operator, running, { status: "failed" });
  assert.equal((await jobs.get("ftjob-1"))?.status, "failed");
});
