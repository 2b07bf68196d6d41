/** The trainer as a whole, over a small base on ONNX Runtime: jobs, versions, order, cancelling. */
import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { setImmediate } from "node:timers/promises";
import { operator } from "../entities/caller.ts";
import type { JobSpecification } from "../entities/job.ts";
import { asJsonLines, easyLines, hardLines, markedLines } from "../learning/exam-lines.ts";
import { modelNamed } from "../processor/exam-stack.ts";
import { type ExamTrainer, openExamTrainer, rightCountOf, wellTrained } from "./exam-trainer.ts";

let exam: ExamTrainer;

before(async () => {
  exam = await openExamTrainer();
});

after(() => exam.close());

describe("a job", () => {
  it("serves an instant version while it trains, then the better one", async () => {
    const job = await exam.submit(hardLines(300), { hyperparameters: wellTrained, suffix: "hard" });
    const instant = await exam.nextEvent(job, /can be called now/);
    assert.match(instant.message, /^Version 1: instant head, .* held-out texts are right/);
    const { model } = (await exam.stack.store.catalog.of(operator).jobs.get(job.id)) ?? {};
    assert.match(model ?? "", /^ft:base:strata:hard:/);
    const early = await exam.classify(model, ["w1 w2"]);
    assert.equal(early.version, 1);
    assert.deepEqual(early.labels, ["other", "same"]);
    const done = await exam.finished(job);
    assert.equal(done.status, "succeeded");
    assert.ok((done.trainedTokens ?? 0) >= 255 * 4);
    const { versions, model: served } = await exam.modelOf(model);
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
    const answer = await exam.classify(
      model,
      unseen.map(({ text }) => text),
    );
    assert.equal(answer.version, 2);
    const rightCount = rightCountOf(answer, unseen);
    assert.ok(rightCount >= 85, `${rightCount} of 100 are right`);
  });

  it("stores what is worse, and does not serve it", async () => {
    // One epoch at a rate of 10⁻⁷ leaves adapter and head as they were drawn.
    const hyperparameters = { learningRate: 1e-7, epochCount: 1 };
    const job = await exam.submit(markedLines(400), { hyperparameters });
    const done = await exam.finished(job);
    assert.equal(done.status, "succeeded");
    const { model, versions } = await exam.modelOf(done.model);
    assert.equal(model.servedVersion, 1);
    assert.deepEqual(
      versions.map(({ number, kind }) => [number, kind]),
      [
        [1, "instant"],
        [2, "trained"],
      ],
    );
    const messages = await exam.messagesOf(job);
    assert.ok(
      messages.some((message) =>
        message.startsWith("Version 2: Not served: worse than version 1 on "),
      ),
    );
    const types = (await exam.eventsOf(job)).map(({ type }) => type);
    assert.equal(types.filter((type) => type === "instant_version").length, 1);
    assert.ok(types.indexOf("metrics") > types.indexOf("instant_version"));
    // It can still be called by its number.
    assert.equal((await exam.classify(`${model.id}@2`, ["w1"])).version, 2);
  });

  it("trains an existing vPLM further, against what it serves", async () => {
    const lines = hardLines(300);
    await exam.create("known", lines);
    assert.equal((await exam.modelOf("known")).model.servedVersion, 1);
    const specification = { model: "known", hyperparameters: wellTrained };
    for (const round of [2, 3]) {
      const done = await exam.run(lines, { ...specification, seed: round });
      assert.equal(done.model, "known");
      assert.equal((await exam.modelOf("known")).versions.length, round);
    }
    const { versions } = await exam.modelOf("known");
    assert.equal(versions[2]?.metrics["baselineDevAccuracy"], versions[1]?.metrics["devAccuracy"]);
  });

  it("tells every bad line of a small file in its events", async () => {
    const good = easyLines(40).map((line) => JSON.stringify(line));
    const bad = ["nonsense", '{"text": 5, "label": "low"}', '{"text": "w1"}'];
    const job = await exam.submit([...good.slice(0, 5), ...bad, ...good.slice(5)].join("\n"));
    assert.equal((await exam.finished(job)).status, "succeeded");
    const messages = await exam.messagesOf(job);
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
    [
      "no line that can be used",
      "nonsense\nmore nonsense",
      /2 of 2 rows cannot be used: lines 1, 2: line is not valid JSON/,
    ],
    ["nothing", "", /it is empty/],
  ];
  for (const [what, content, reason] of untrainable)
    it(`fails with the reason for a file of ${what}`, async () => {
      const job = await exam.submit(content);
      const done = await exam.finished(job);
      assert.equal(done.status, "failed");
      assert.equal(done.error?.code, "invalid_argument");
      assert.match(done.error.message, reason);
      assert.ok(done.finishedAt !== undefined);
      const errors = (await exam.eventsOf(job)).filter(({ level }) => level === "error");
      assert.deepEqual(
        errors.map(({ message }) => message),
        [done.error.message],
      );
    });

  it("adds labels that the model does not have behind those that it has", async () => {
    await exam.stack.creator.create(operator, {
      id: "growing",
      base: "base",
      labels: ["low", "high"],
    });
    const first = await exam.run(easyLines(60), { model: "growing" });
    assert.equal(first.status, "succeeded");
    assert.deepEqual((await exam.modelOf("growing")).versions[0]?.labels, ["low", "high"]);
    const more = [...easyLines(60), ...hardLines(200)];
    const job = await exam.submit(more, { model: "growing", hyperparameters: wellTrained });
    assert.equal((await exam.finished(job)).status, "succeeded");
    const { versions, model } = await exam.modelOf("growing");
    assert.deepEqual(versions.at(-1)?.labels, ["low", "high", "other", "same"]);
    assert.equal(model.servedVersion, versions.at(-1)?.number);
    const answer = await exam.classify("growing", ["w1"]);
    assert.deepEqual(answer.labels, ["low", "high", "other", "same"]);
    const warnings = (await exam.eventsOf(job)).filter(({ level }) => level === "warn");
    const fresh = 'New labels, which the model did not have: "other", "same"';
    assert.ok(warnings.some(({ message }) => message === fresh));
    assert.deepEqual((await exam.classify("growing@1", ["w1"])).labels, ["low", "high"]);
  });

  it("is refused at once when it could never run", async () => {
    const trainingFile = await exam.upload(easyLines(20));
    const refusals: readonly (readonly [Partial<JobSpecification>, string])[] = [
      [{ model: "nobody" }, "NOT_FOUND"],
      [{ trainingFile: "file-none" }, "NOT_FOUND"],
      [{ validationFile: "file-none" }, "NOT_FOUND"],
    ];
    for (const [change, code] of refusals)
      await assert.rejects(
        exam.trainer.submit(operator, { model: "base", trainingFile, ...change }),
        { code },
        JSON.stringify(change),
      );
  });
});

describe("the trainer", () => {
  it("runs jobs one after the other, in the order in which they came", async () => {
    const order: string[] = [];
    const jobs = [
      await exam.submit(easyLines(60)),
      await exam.submit(easyLines(60)),
      await exam.submit("nonsense"),
    ];
    for (const [index, job] of jobs.entries())
      exam.trainer.watch(operator, job.id, ({ message }) => {
        if (message.startsWith("Training on")) order.push(`start ${index}`);
        if (message.startsWith("The job has")) order.push(`end ${index}`);
      });
    await Promise.all(jobs.map(({ id }) => exam.trainer.finished(operator, id)));
    assert.deepEqual(order, ["start 0", "end 0", "start 1", "end 1", "end 2"]);
  });

  it("ends a running job that is cancelled, without its version, and goes on", async () => {
    const endless = { epochCount: 200, learningRate: 1e-7 };
    const running = await exam.submit(easyLines(400), { hyperparameters: endless });
    const next = await exam.submit(easyLines(40));
    const never = await exam.submit(easyLines(40));
    await exam.nextEvent(running, /^Step /);
    assert.equal((await exam.trainer.cancel(operator, never.id)).status, "cancelled");
    const cancelled = await exam.trainer.cancel(operator, running.id);
    assert.equal(cancelled.status, "cancelled");
    assert.ok(cancelled.finishedAt !== undefined);
    const said = (await exam.eventsOf(running)).at(-2)?.message;
    assert.equal(said, `Version 1 of "${cancelled.model}" stays and can be called`);
    const { versions } = await exam.modelOf(cancelled.model);
    assert.deepEqual(
      versions.map(({ kind }) => kind),
      ["instant"],
    );
    assert.equal((await exam.trainer.finished(operator, next.id)).status, "succeeded");
    assert.deepEqual(
      (await exam.eventsOf(never)).map(({ message }) => message.split(":")[0]),
      ["Created fine-tuning job", "The job has been cancelled"],
    );
    for (const job of [running, next, never])
      await assert.rejects(exam.trainer.cancel(operator, job.id), { code: "CONFLICT" });
    await assert.rejects(exam.trainer.cancel(operator, "ftjob-none"), { code: "NOT_FOUND" });
  });

  it("leaves no model without a version behind, whenever a job is cancelled", async () => {
    for (const turnCount of [0, 1, 2, 4, 8, 16, 32, 64]) {
      const job = await exam.submit(easyLines(400));
      for (let turn = 0; turn < turnCount; turn++) await setImmediate();
      const { model = "none", status } = await exam.trainer.cancel(operator, job.id);
      assert.equal(status, "cancelled");
      const left = await exam.stack.store.catalog.of(operator).models.get(model);
      assert.ok(left === undefined || left.servedVersion !== undefined);
    }
  });

  it("puts a running job back when it closes, and the next one runs it to the end", async () => {
    const slow = { epochCount: 40, learningRate: 1e-7, batchSize: 4 };
    const job = await exam.submit(easyLines(400), { hyperparameters: slow });
    await exam.nextEvent(job, /^Step /);
    await exam.trainer.close();
    const left = await exam.stack.store.catalog.of(operator).jobs.get(job.id);
    assert.equal(left?.status, "queued");
    await exam.restart();
    const done = await exam.finished(job);
    assert.equal(done.status, "succeeded");
    assert.equal(done.model, left.model);
    const kinds = (await exam.modelOf(done.model)).versions.map(({ kind }) => kind);
    assert.deepEqual(kinds, ["instant", "trained"]);
  });

  it("cancels a job that is on its way back into the queue while it closes", async () => {
    const endless = { epochCount: 200, learningRate: 1e-7 };
    const running = await exam.submit(easyLines(400), { hyperparameters: endless });
    await exam.nextEvent(running, /^Step /);
    const closed = exam.trainer.close();
    assert.equal((await exam.trainer.cancel(operator, running.id)).status, "cancelled");
    await closed;
    await exam.restart();
    assert.equal((await exam.finished(running)).status, "cancelled");
  });

  it("never trains a later model of the name that its own had", async () => {
    await exam.stack.creator.create(operator, {
      id: "twice",
      base: "base",
      labels: ["high", "low"],
    });
    const endless = { epochCount: 200, learningRate: 1e-7 };
    const running = await exam.submit(easyLines(400), { model: "twice", hyperparameters: endless });
    const queued = await exam.submit(easyLines(40), { model: "twice" });
    await exam.nextEvent(running, /^Step /);
    await exam.stack.creator.delete(operator, await modelNamed(exam.stack, "twice"));
    const later = await exam.create("twice", hardLines(60));
    for (const { id } of [running, queued]) {
      const done = await exam.trainer.finished(operator, id);
      assert.equal(done.status, "failed");
      assert.match(done.error?.message ?? "", /it has been deleted/);
    }
    const { model, versions } = await exam.modelOf("twice");
    assert.deepEqual(model, later);
    assert.equal(versions.length, 1);
  });

  it("does not bring back a model that was deleted while its job waited", async () => {
    const slow = { epochCount: 40, learningRate: 1e-7, batchSize: 4 };
    const job = await exam.submit(easyLines(400), { hyperparameters: slow });
    await exam.nextEvent(job, /^Step /);
    await exam.trainer.close();
    const { model = "none" } = (await exam.stack.store.catalog.of(operator).jobs.get(job.id)) ?? {};
    await exam.stack.creator.delete(operator, await modelNamed(exam.stack, model));
    await exam.restart();
    const done = await exam.finished(job);
    assert.equal(done.status, "failed");
    assert.match(done.error?.message ?? "", /it has been deleted$/);
    assert.equal(await exam.stack.store.catalog.of(operator).models.get(model), undefined);
  });

  it("lets a wait be given up, and a wait that is over be forgotten", async () => {
    const job = await exam.submit(easyLines(400), { hyperparameters: { epochCount: 200 } });
    const abort = new AbortController();
    const waiting = exam.trainer.finished(operator, job.id, abort.signal);
    await exam.trainer.cancel(operator, job.id);
    assert.equal((await waiting).status, "cancelled");
    const again = exam.trainer.finished(operator, job.id, abort.signal);
    assert.equal((await again).status, "cancelled");
    await assert.rejects(exam.trainer.finished(operator, "ftjob-none", abort.signal), {
      code: "NOT_FOUND",
    });
    // A rejection that nobody listens to would fail this test.
    abort.abort();
    await setImmediate();
  });
});
