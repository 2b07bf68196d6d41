/** A job is ended once, however late what was read of it arrives. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { createCreator } from "../creator/store-creator.ts";
import { operator } from "../entities/caller.ts";
import { isFinished, type Job } from "../entities/job.ts";
import { createFiles } from "../files/store-files.ts";
import { systemClock } from "../foundation/clock.ts";
import { StrataError } from "../foundation/errors.ts";
import { systemIds } from "../foundation/random.ts";
import { silentTelemetry } from "../foundation/telemetry.ts";
import { exampleBase } from "../entities/exam-base.ts";
import { exampleFile } from "../storage/exam-blobs.ts";
import { createMemoryStore } from "../storage/memory/memory-store.ts";
import type { Store, TenantCatalog } from "../storage/storage.ts";
import { JobTrainer } from "./job-trainer.ts";

/** A promise that is resolved from outside. */
function gate(): { readonly opened: Promise<void>; open(): void } {
  let open = (): void => {};
  const opened = new Promise<void>((resolve) => (open = resolve));
  return { opened, open };
}

/** The store, but that the operator's jobs go through `around`. */
function storeWith(store: Store, around: (own: TenantCatalog) => Partial<TenantCatalog["jobs"]>) {
  const own = store.catalog.of(operator);
  const { jobs } = own;
  const bound = {
    insert: (job: Job) => jobs.insert(job),
    get: (id: string) => jobs.get(id),
    update: (job: Job) => jobs.update(job),
    delete: (id: string) => jobs.delete(id),
    list: (options: Parameters<typeof jobs.list>[0]) => jobs.list(options),
    count: () => jobs.count(),
  };
  const view = { ...own, jobs: { ...bound, ...around(own) } };
  return { ...store, catalog: { ...store.catalog, of: () => view } };
}

test("a job that is cancelled while its row is read is not run meanwhile", async () => {
  const memory = createMemoryStore();
  await memory.catalog.bases.insert(exampleBase("tiny"));
  await memory.catalog.of(operator).files.insert(exampleFile("1"));
  const [first, reading] = [gate(), gate()];
  const statuses: string[] = [];
  let late = "";
  const store = storeWith(memory, ({ jobs }) => ({
    async get(id) {
      const job = await jobs.get(id);
      if (id !== late) return job;
      late = "";
      await reading.opened;
      return job;
    },
    async update(job) {
      statuses.push(`${job.id} ${job.status}`);
      await jobs.update(job);
    },
  }));
  const parts = { store, clock: systemClock, ids: systemIds, telemetry: silentTelemetry };
  let runCount = 0;
  const trainer = new JobTrainer({
    ...parts,
    creator: createCreator(parts),
    files: createFiles(parts),
    checkBase() {},
    async openBase() {
      runCount += 1;
      await first.opened;
      throw new StrataError("CONFLICT", "Cannot train: the base is refused");
    },
  });
  await trainer.start();
  const specification = { model: "tiny", trainingFile: "file-1" };
  const running = await trainer.submit(operator, specification);
  const waiting = await trainer.submit(operator, specification);
  while (runCount === 0) await new Promise(setImmediate);
  late = waiting.id;
  const cancelled = trainer.cancel(operator, waiting.id);
  while (late !== "") await new Promise(setImmediate);
  first.open();
  assert.equal((await trainer.finished(operator, running.id)).status, "failed");
  // The next job would be run, and fail, by now.
  for (let turn = 0; turn < 20; turn++) await new Promise(setImmediate);
  reading.open();
  assert.equal((await cancelled).status, "cancelled");
  const ended = statuses.filter((line) => line.startsWith(waiting.id));
  assert.deepEqual(ended, [`${waiting.id} cancelled`]);
  assert.equal(runCount, 1);
  const row = await memory.catalog.of(operator).jobs.get(waiting.id);
  assert.ok(row !== undefined && isFinished(row.status));
  await trainer.close();
});
