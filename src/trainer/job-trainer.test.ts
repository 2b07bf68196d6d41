/** The trainer as a whole, over a small base on ONNX Runtime: jobs, versions, order, cancelling. */
import assert from "node:assert/strict";
import { rm } from "node:fs/promises";
import { after, before, describe, it } from "node:test";
import { setImmediate } from "node:timers/promises";
import { operator } from "../entities/caller.ts";
import type { Job, JobEvent, JobSpecification } from "../entities/job.ts";
import type { JobTrainer } from "./job-trainer.ts";
import type { TrainingBase } from "../learning/training-base.ts";
import { modelNamed, openStack, type Stack } from "../processor/exam-stack.ts";
import { writeSmallCheckpoint } from "../checkpoints/exam-small-checkpoint.ts";
import { trainingBaseOf } from "../learning/exam-base.ts";
import {
  asJsonLines,
  easyLines,
  hardLines,
  type Line,
  markedLines,
} from "../learning/exam-lines.ts";
import { openTrainer, storeFile } from "./exam-trainer.ts";

let folder = "";
let stack: Stack;
let base: TrainingBase;
let trainer: JobTrainer;

before(async () => {
  folder = await writeSmallCheckpoint();
  stack = await openStack({ folder, precision: "fp32" });
  base = trainingBaseOf(stack);
  trainer = openTrainer(stack, base);
  await trainer.start();
});

after(async () => {
  await trainer.close();
  await stack.close();
  await rm(folder, { recursive: true });
});

const wellTrained = { epochCount: 12, learningRate: 0.01, rank: 16 } as const;

async function submit(
  lines: readonly Line[] | string,
  rest: Partial<JobSpecification> = {},
): Promise<Job> {
  const content = typeof lines === "string" ? lines : asJsonLines(lines);
  const trainingFile = await storeFile(stack, content);
  return trainer.submit(operator, { model: "base", trainingFile, ...rest });
}

function classify(model: string, inputs: readonly string[]) {
  return stack.processor.ask(operator, "labels", { model, inputs });
}

async function eventsOf(job: Job): Promise<readonly JobEvent[]> {
  return stack.store.catalog.of(operator).events.list(job.id, { limit: 10_000 });
}

async function modelOf(id: string | undefined) {
  const model = await stack.store.catalog.of(operator).models.get(id ?? "");
  assert.ok(model !== undefined, `no model "${id}"`);
  const { versions } = stack.store.catalog.of(operator);
  return { model, versions: await versions.list(model.incarnation, { limit: 100 }) };
}

/** Resolves with the job's next event whose message matches. */
function nextEvent(job: Job, pattern: RegExp): Promise<JobEvent> {
  return new Promise((resolve) => {
    const stop = trainer.watch(operator, job.id, (event) => {
      if (!pattern.test(event.message)) return;
      stop();
      resolve(event);
    });
  });
}

describe("a job", () => {
  it("serves an instant version while it trains, then the better one", async () => {
    const job = await submit(hardLines(300), { hyperparameters: wellTrained, suffix: "hard" });
    const instant = await nextEvent(job, /can be called now/);
    assert.match(instant.message, /^Version 1: instant head, .* held-out texts are right/);
    const { model } = (await stack.store.catalog.of(operator).jobs.get(job.id)) ?? {};
    assert.match(model ?? "", /^ft:base:strata:hard:/);
    const early = await classify(model ?? "", ["w1 w2"]);
    assert.equal(early.version, 1);
    assert.deepEqual(early.labels, ["other", "same"]);
    const done = await trainer.finished(operator, job.id);
    assert.equal(done.status, "succeeded");
    assert.ok((done.trainedTokens ?? 0) >= 255 * 4);
    const { versions, model: served } = await modelOf(model);
    assert.deepEqual(
      versions.map(({ kind, job: maker, adapter }) => ({ kind, maker, adapter })),
      [
        { kind: "instant", maker: undefined, adapter: undefined },
        {
          kind: "trained",
          maker: job.id,
          adapter: { kind: "bottleneck", rank: 16, layers: [1, 2] },
        },
      ],
    );
    assert.equal(served.servedVersion, 2);
    const [instantly = NaN, trained = NaN] = versions.map(({ metrics }) => metrics["devAccuracy"]);
    assert.ok(trained >= instantly, `${trained} against ${instantly}`);
    assert.equal(versions[1]?.metrics["baselineDevAccuracy"], instantly);
    // The served model knows what it has learned, on texts that it has not seen.
    const unseen = hardLines(100, 5);
    const answer = await classify(
      model ?? "",
      unseen.map(({ text }) => text),
    );
    assert.equal(answer.version, 2);
    const rightCount = unseen.filter(({ label }, index) => {
      const [other = 0, same = 0] = answer.probabilities[index] ?? [];
      return (same > other ? "same" : "other") === label;
    }).length;
    assert.ok(rightCount >= 85, `${rightCount} of 100 are right`);
  });

  it("stores what is worse, and does not serve it", async () => {
    // From a learning rate of 1 nothing comes but one label for all.
    const job = await submit(markedLines(400), { hyperparameters: { learningRate: 1 } });
    const done = await trainer.finished(operator, job.id);
    assert.equal(done.status, "succeeded");
    const { model, versions } = await modelOf(done.model);
    assert.equal(model.servedVersion, 1);
    assert.deepEqual(
      versions.map(({ number, kind }) => [number, kind]),
      [
        [1, "instant"],
        [2, "trained"],
      ],
    );
    const messages = (await eventsOf(job)).map(({ message }) => message);
    assert.ok(
      messages.some((message) =>
        message.startsWith("Version 2: Not served: worse than version 1 on "),
      ),
    );
    // It can still be called by its number.
    assert.equal((await classify(`${model.id}@2`, ["w1"])).version, 2);
  });

  it("trains an existing vPLM further, against what it serves", async () => {
    const file = await storeFile(stack, asJsonLines(hardLines(300)));
    const labels = ["other", "same"];
    await stack.creator.create(operator, { id: "known", base: "base", labels }, () =>
      trainer.fitInstant(operator, { base: "base", trainingFile: file }),
    );
    assert.equal((await modelOf("known")).model.servedVersion, 1);
    const specification = { model: "known", trainingFile: file, hyperparameters: wellTrained };
    for (const round of [2, 3]) {
      const job = await trainer.submit(operator, { ...specification, seed: round });
      const done = await trainer.finished(operator, job.id);
      assert.equal(done.model, "known");
      assert.equal((await modelOf("known")).versions.length, round);
    }
    const { versions } = await modelOf("known");
    assert.equal(versions[2]?.metrics["baselineDevAccuracy"], versions[1]?.metrics["devAccuracy"]);
  });

  it("tells every bad line of a small file in its events", async () => {
    const good = easyLines(40).map((line) => JSON.stringify(line));
    const bad = ["nonsense", '{"text": 5, "label": "low"}', '{"text": "w1"}'];
    const job = await submit([...good.slice(0, 5), ...bad, ...good.slice(5)].join("\n"));
    assert.equal((await trainer.finished(operator, job.id)).status, "succeeded");
    const messages = (await eventsOf(job)).map(({ message }) => message);
    assert.ok(messages.includes("3 rows of training_file cannot be used and are left out"));
    for (const line of [6, 7, 8])
      assert.ok(messages.some((message) => message.startsWith(`training_file, line ${line}: `)));
  });

  const untrainable: readonly (readonly [string, string, RegExp])[] = [
    [
      "one label",
      asJsonLines(easyLines(20).filter((_, index) => index % 2 === 0)),
      /at least 2 labels/,
    ],
    [
      "one example of a label",
      `${asJsonLines(easyLines(21))}\n{"text":"w1","label":"rare"}`,
      /"rare"/,
    ],
    ["no line that can be used", "nonsense\nmore nonsense", /2 of 2 rows cannot be used: line 1/],
    ["nothing", "", /it is empty/],
  ];
  for (const [what, content, reason] of untrainable)
    it(`fails with the reason for a file of ${what}`, async () => {
      const job = await submit(content);
      const done = await trainer.finished(operator, job.id);
      assert.equal(done.status, "failed");
      assert.equal(done.error?.code, "invalid_argument");
      assert.match(done.error.message, reason);
      assert.ok(done.finishedAt !== undefined);
      const errors = (await eventsOf(job)).filter(({ level }) => level === "error");
      assert.deepEqual(
        errors.map(({ message }) => message),
        [done.error.message],
      );
    });

  it("adds labels that the model does not have behind those that it has", async () => {
    await stack.creator.create(operator, { id: "growing", base: "base", labels: ["low", "high"] });
    const first = await trainer.finished(
      operator,
      (await submit(easyLines(60), { model: "growing" })).id,
    );
    assert.equal(first.status, "succeeded");
    assert.deepEqual((await modelOf("growing")).versions[0]?.labels, ["low", "high"]);
    const more = [...easyLines(60), ...hardLines(200)];
    const job = await submit(more, { model: "growing", hyperparameters: wellTrained });
    assert.equal((await trainer.finished(operator, job.id)).status, "succeeded");
    const { versions, model } = await modelOf("growing");
    assert.deepEqual(versions.at(-1)?.labels, ["low", "high", "other", "same"]);
    assert.equal(model.servedVersion, versions.at(-1)?.number);
    const answer = await classify("growing", ["w1"]);
    assert.deepEqual(answer.labels, ["low", "high", "other", "same"]);
    const warnings = (await eventsOf(job)).filter(({ level }) => level === "warn");
    const fresh = 'New labels, which the model did not have: "other", "same"';
    assert.ok(warnings.some(({ message }) => message === fresh));
    assert.deepEqual((await classify("growing@1", ["w1"])).labels, ["low", "high"]);
  });

  it("is refused at once when it could never run", async () => {
    const trainingFile = await storeFile(stack, asJsonLines(easyLines(20)));
    const refusals: readonly (readonly [Partial<JobSpecification>, string])[] = [
      [{ model: "nobody" }, "NOT_FOUND"],
      [{ trainingFile: "file-none" }, "NOT_FOUND"],
      [{ validationFile: "file-none" }, "NOT_FOUND"],
      [{ suffix: "a b" }, "INVALID_ARGUMENT"],
      [{ suffix: "x".repeat(65) }, "INVALID_ARGUMENT"],
      [{ hyperparameters: { rank: 65 } }, "INVALID_ARGUMENT"],
      [{ hyperparameters: { epochCount: 0 } }, "INVALID_ARGUMENT"],
      [{ hyperparameters: { batchSize: 257 } }, "INVALID_ARGUMENT"],
      [{ hyperparameters: { learningRate: NaN } }, "INVALID_ARGUMENT"],
      [{ hyperparameters: { epochCount: 1.5 } }, "INVALID_ARGUMENT"],
    ];
    for (const [change, code] of refusals)
      await assert.rejects(
        trainer.submit(operator, { model: "base", trainingFile, ...change }),
        { code },
        JSON.stringify(change),
      );
  });
});

describe("the trainer", () => {
  it("runs jobs one after the other, in the order in which they came", async () => {
    const order: string[] = [];
    const jobs = [
      await submit(easyLines(60)),
      await submit(easyLines(60)),
      await submit("nonsense"),
    ];
    for (const [index, job] of jobs.entries())
      trainer.watch(operator, job.id, ({ message }) => {
        if (message.startsWith("Training on")) order.push(`start ${index}`);
        if (message.startsWith("The job has")) order.push(`end ${index}`);
      });
    await Promise.all(jobs.map(({ id }) => trainer.finished(operator, id)));
    assert.deepEqual(order, ["start 0", "end 0", "start 1", "end 1", "end 2"]);
  });

  it("ends a running job that is cancelled, without its version, and goes on", async () => {
    const endless = { epochCount: 200, learningRate: 1e-7 };
    const running = await submit(easyLines(400), { hyperparameters: endless });
    const next = await submit(easyLines(40));
    const never = await submit(easyLines(40));
    await nextEvent(running, /^Step /);
    assert.equal((await trainer.cancel(operator, never.id)).status, "cancelled");
    const cancelled = await trainer.cancel(operator, running.id);
    assert.equal(cancelled.status, "cancelled");
    assert.ok(cancelled.finishedAt !== undefined);
    const said = (await eventsOf(running)).at(-2)?.message;
    assert.equal(said, `Version 1 of "${cancelled.model}" stays and can be called`);
    const { versions } = await modelOf(cancelled.model);
    assert.deepEqual(
      versions.map(({ kind }) => kind),
      ["instant"],
    );
    assert.equal((await trainer.finished(operator, next.id)).status, "succeeded");
    assert.deepEqual(
      (await eventsOf(never)).map(({ message }) => message.split(":")[0]),
      ["Created fine-tuning job", "The job has been cancelled"],
    );
    for (const job of [running, next, never])
      await assert.rejects(trainer.cancel(operator, job.id), { code: "CONFLICT" });
    await assert.rejects(trainer.cancel(operator, "ftjob-none"), { code: "NOT_FOUND" });
  });

  it("leaves no model without a version behind, whenever a job is cancelled", async () => {
    for (const turnCount of [0, 1, 2, 4, 8, 16, 32, 64]) {
      const job = await submit(easyLines(400));
      for (let turn = 0; turn < turnCount; turn++) await setImmediate();
      const { model = "none", status } = await trainer.cancel(operator, job.id);
      assert.equal(status, "cancelled");
      const left = await stack.store.catalog.of(operator).models.get(model);
      assert.ok(left === undefined || left.servedVersion !== undefined);
    }
  });

  it("puts a running job back when it closes, and the next one runs it to the end", async () => {
    const slow = { epochCount: 40, learningRate: 1e-7, batchSize: 4 };
    const job = await submit(easyLines(400), { hyperparameters: slow });
    await nextEvent(job, /^Step /);
    await trainer.close();
    const left = await stack.store.catalog.of(operator).jobs.get(job.id);
    assert.equal(left?.status, "queued");
    trainer = openTrainer(stack, base);
    await trainer.start();
    const done = await trainer.finished(operator, job.id);
    assert.equal(done.status, "succeeded");
    assert.equal(done.model, left.model);
    const kinds = (await modelOf(done.model)).versions.map(({ kind }) => kind);
    assert.deepEqual(kinds, ["instant", "trained"]);
  });

  it("never trains a later model of the name that its own had", async () => {
    await stack.creator.create(operator, { id: "twice", base: "base", labels: ["high", "low"] });
    const endless = { epochCount: 200, learningRate: 1e-7 };
    const running = await submit(easyLines(400), { model: "twice", hyperparameters: endless });
    const queued = await submit(easyLines(40), { model: "twice" });
    await nextEvent(running, /^Step /);
    await stack.creator.delete(operator, await modelNamed(stack, "twice"));
    const file = await storeFile(stack, asJsonLines(hardLines(60)));
    const labels = ["other", "same"];
    const later = await stack.creator.create(operator, { id: "twice", base: "base", labels }, () =>
      trainer.fitInstant(operator, { base: "base", trainingFile: file }),
    );
    for (const { id } of [running, queued]) {
      const done = await trainer.finished(operator, id);
      assert.equal(done.status, "failed");
      assert.match(done.error?.message ?? "", /it has been deleted/);
    }
    const { model, versions } = await modelOf("twice");
    assert.deepEqual(model, later);
    assert.equal(versions.length, 1);
  });

  it("does not bring back a model that was deleted while its job waited", async () => {
    const slow = { epochCount: 40, learningRate: 1e-7, batchSize: 4 };
    const job = await submit(easyLines(400), { hyperparameters: slow });
    await nextEvent(job, /^Step /);
    await trainer.close();
    const { model = "none" } = (await stack.store.catalog.of(operator).jobs.get(job.id)) ?? {};
    await stack.creator.delete(operator, await modelNamed(stack, model));
    trainer = openTrainer(stack, base);
    await trainer.start();
    const done = await trainer.finished(operator, job.id);
    assert.equal(done.status, "failed");
    assert.match(done.error?.message ?? "", /it has been deleted$/);
    assert.equal(await stack.store.catalog.of(operator).models.get(model), undefined);
  });

  it("lets a wait be given up, and a wait that is over be forgotten", async () => {
    const job = await submit(easyLines(400), { hyperparameters: { epochCount: 200 } });
    const abort = new AbortController();
    const waiting = trainer.finished(operator, job.id, abort.signal);
    await trainer.cancel(operator, job.id);
    assert.equal((await waiting).status, "cancelled");
    const again = trainer.finished(operator, job.id, abort.signal);
    assert.equal((await again).status, "cancelled");
    await assert.rejects(trainer.finished(operator, "ftjob-none", abort.signal), {
      code: "NOT_FOUND",
    });
    // A rejection that nobody listens to would fail this test.
    abort.abort();
    await setImmediate();
  });
});
