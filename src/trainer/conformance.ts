/**
 * The exam of `Trainer`, which stand-ins sit as well: what a caller meets of a job, from its
 * submission to its end.
 */
import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { actingFor, type Caller } from "../entities/caller.ts";
import { type Job, type JobEvent, type JobSpecification } from "../entities/job.ts";
import type { TenantCatalog } from "../storage/storage.ts";
import type { Trainer } from "./trainer.ts";

/** A started trainer, and what it works on. */
export interface TrainerExam {
  readonly trainer: Trainer;
  readonly caller: Caller;
  /** The caller's rows. */
  readonly catalog: TenantCatalog;
  readonly base: string;
  /** A file of texts with the labels `labels`, enough of them to train on. */
  readonly trainingFile: string;
  readonly labels: readonly string[];
  close(): Promise<void>;
}

export function examineTrainer(name: string, open: () => Promise<TrainerExam>): void {
  describe(`${name}, as a trainer`, () => {
    let exam: TrainerExam;
    before(async () => {
      exam = await open();
    });
    after(() => exam.close());

    const submit = (change: Partial<JobSpecification> = {}): Promise<Job> => {
      const { base: model, trainingFile, caller, trainer } = exam;
      return trainer.submit(caller, { model, trainingFile, ...change });
    };

    it("keeps a job from when it is acknowledged, and tells of it", async () => {
      const job = await submit({ suffix: "kept", metadata: { why: "exam" } });
      assert.equal(job.status, "queued");
      const { status: _, ...known } = (await exam.catalog.jobs.get(job.id)) ?? job;
      assert.deepEqual([known.suffix, known.metadata], ["kept", { why: "exam" }]);
      await exam.trainer.finished(exam.caller, job.id);
      const events = await exam.catalog.events.list(job.id, { limit: 100 });
      assert.ok(events.length >= 2);
      assert.ok(events.every((event) => event.job === job.id));
    });

    it("brings a job on a base to its end: a model that serves a trained version", async () => {
      const told: JobEvent[] = [];
      const job = await submit({ suffix: "own" });
      const stop = exam.trainer.watch(exam.caller, job.id, (event) => told.push(event));
      const done = await exam.trainer.finished(exam.caller, job.id);
      stop();
      assert.equal(done.status, "succeeded", done.error?.message);
      assert.ok(done.finishedAt !== undefined && (done.trainedTokens ?? 0) > 0);
      assert.match(done.model ?? "", new RegExp(`^ft:${exam.base}:strata:own:`));
      const model = await exam.catalog.models.get(done.model ?? "");
      assert.equal(model?.incarnation, job.incarnation);
      assert.deepEqual([...model.labels].toSorted(), exam.labels);
      const made = await exam.catalog.versions.list(model.incarnation, { limit: 10 });
      assert.ok(made.some(({ kind }) => kind === "trained"));
      assert.ok(made.some(({ number }) => number === model.servedVersion));
      assert.ok(told.some(({ message }) => message === "The job has succeeded"));
    });

    it("refuses at once what could never run", async () => {
      const refusals: readonly (readonly [Partial<JobSpecification>, string])[] = [
        [{ model: "nobody" }, "NOT_FOUND"],
        [{ trainingFile: "file-none" }, "NOT_FOUND"],
        [{ validationFile: "file-none" }, "NOT_FOUND"],
      ];
      for (const [change, code] of refusals)
        await assert.rejects(submit(change), { code }, JSON.stringify(change));
    });

    it("cancels a job that has not ended, once, and no other", async () => {
      const { trainer, caller } = exam;
      const job = await submit();
      const cancelled = await trainer.cancel(caller, job.id);
      assert.equal(cancelled.status, "cancelled");
      assert.ok(cancelled.finishedAt !== undefined);
      assert.equal((await trainer.finished(caller, job.id)).status, "cancelled");
      await assert.rejects(trainer.cancel(caller, job.id), { code: "CONFLICT" });
      await assert.rejects(trainer.cancel(caller, "ftjob-none"), { code: "NOT_FOUND" });
    });

    it("knows no job of another tenant", async () => {
      const job = await submit();
      const other = actingFor("tenant-other");
      await assert.rejects(exam.trainer.cancel(other, job.id), { code: "NOT_FOUND" });
      await assert.rejects(exam.trainer.finished(other, job.id), { code: "NOT_FOUND" });
      await exam.trainer.finished(exam.caller, job.id);
    });

    it("fits an instant version of a file's labels, and stores nothing", async () => {
      const { base, trainingFile, caller, trainer, catalog } = exam;
      const before = await catalog.models.list({ limit: 100 });
      const weights = await trainer.fitInstant(caller, { base, trainingFile });
      assert.deepEqual([weights.kind, weights.adapter], ["instant", undefined]);
      assert.deepEqual([...weights.labels].toSorted(), exam.labels);
      assert.deepEqual(await catalog.models.list({ limit: 100 }), before);
      const none = trainer.fitInstant(caller, { base, trainingFile: "file-none" });
      await assert.rejects(none, { code: "NOT_FOUND" });
    });
  });
}
