/** Jobs on files of entities: versions, figures and verdicts as of any task. */
import assert from "node:assert/strict";
import { rm } from "node:fs/promises";
import { after, before, describe, it } from "node:test";
import { SeededRandom } from "../foundation/random.ts";
import { operator } from "../entities/caller.ts";
import type { Job, JobSpecification } from "../entities/job.ts";
import { writeSmallCheckpoint } from "../checkpoints/exam-small-checkpoint.ts";
import { trainingBaseOf } from "../learning/exam-base.ts";
import { asJsonLines, easyLines, markedLines } from "../learning/exam-lines.ts";
import { openStack, type Stack } from "../processor/exam-stack.ts";
import { openTrainer, storeFile } from "./exam-trainer.ts";
import type { JobTrainer } from "./job-trainer.ts";

let folder = "";
let stack: Stack;
let trainer: JobTrainer;

before(async () => {
  folder = await writeSmallCheckpoint();
  stack = await openStack({ folder, precision: "fp32" });
  trainer = openTrainer(stack, trainingBaseOf(stack));
  await trainer.start();
});

after(async () => {
  await trainer.close();
  await stack.close();
  await rm(folder, { recursive: true });
});

/** Lines of three words of which one, in any place, tells its label, as an entity of it. */
function marked(count: number): string {
  const random = new SeededRandom(7);
  const rows = markedLines(count).map(({ text, label }) => {
    const [first = "", ...others] = text.split(" ");
    const words = others.toSpliced(random.integer(3), 0, first);
    const start = words.join(" ").indexOf(first);
    const entity = { start, end: start + first.length, label };
    return JSON.stringify({ text: words.join(" "), entities: [entity] });
  });
  return rows.join("\n");
}

async function finished(content: string, rest: Partial<JobSpecification> = {}): Promise<Job> {
  const trainingFile = await storeFile(stack, content);
  const hyperparameters = { epochCount: 12, learningRate: 0.01, rank: 16 };
  const job = await trainer.submit(operator, {
    model: "base",
    trainingFile,
    hyperparameters,
    ...rest,
  });
  return trainer.finished(operator, job.id);
}

async function modelOf({ model: id, error }: Job) {
  const catalog = stack.store.catalog.of(operator);
  const model = await catalog.models.get(id ?? "");
  assert.ok(model !== undefined, error?.message);
  return { model, versions: await catalog.versions.list(model.incarnation, { limit: 100 }) };
}

async function messagesOf({ id }: Job): Promise<readonly string[]> {
  const events = await stack.store.catalog.of(operator).events.list(id, { limit: 10_000 });
  return events.map(({ message }) => message);
}

describe("a job on entities", () => {
  it("serves an instant version, then a trained one that is better", async () => {
    const job = await finished(marked(400), { suffix: "spans" });
    const { model, versions } = await modelOf(job);
    assert.deepEqual([model.task, model.labels], ["token-classification", ["high", "low"]]);
    assert.deepEqual(
      versions.map(({ kind, task, labels }) => [kind, task, labels.join()]),
      [
        ["instant", "token-classification", "high,low"],
        ["trained", "token-classification", "high,low"],
      ],
    );
    assert.equal(model.servedVersion, 2);
    const scores = versions.map(({ metrics: { devF1 = NaN, devF1Low = NaN, devF1High = NaN } }) => {
      assert.ok(devF1Low <= devF1 && devF1 <= devF1High);
      return devF1;
    });
    const [instant = NaN, trained = NaN] = scores;
    assert.ok(trained > 0.85 && trained > instant, `F1 ${trained} against ${instant}`);
  });

  it("tells its figures as what they are, and why the trained version is served", async () => {
    const job = await finished(marked(300), { suffix: "told" });
    const { versions } = await modelOf(job);
    const messages = await messagesOf(job);
    assert.ok(messages.some((text) => /instant head, .* F1 over the entities of \d+/.test(text)));
    assert.ok(messages.some((text) => /dev f1 \d/.test(text)));
    assert.match(
      versions[1]?.verdict ?? "",
      /^Served: .* version 1 on \d+ texts .*: F1 \d+\.\d % against \d+\.\d %, fewer errors in \d+/,
    );
  });

  it("is compared with the served version, and with what was derived from it", async () => {
    const first = await finished(marked(300), { suffix: "once" });
    const { model } = await modelOf(first);
    const noise = { noise: 1e-3, seed: 1 };
    await stack.creator.derive(operator, { source: model, ids: ["copy"], ...noise });
    for (const name of [model.id, "copy"]) {
      const again = await finished(marked(300), { model: name });
      const { versions } = await modelOf(again);
      const last = versions.at(-1);
      const { comparedCount = NaN, baselineDevF1 = NaN } = last?.metrics ?? {};
      assert.ok(comparedCount >= 25, `${comparedCount} texts are compared`);
      assert.ok(baselineDevF1 > 0.6, `the served version has F1 ${baselineDevF1}`);
      assert.ok(!("baselineDevAccuracy" in (last?.metrics ?? {})));
    }
  });

  it("says which words cannot be learned as they are marked", async () => {
    const lines = easyLines(60).map(({ text, label }, index) => {
      const start = text.indexOf(" ") + 1 + (index < 3 ? 1 : 0);
      return JSON.stringify({ text, entities: [{ start, end: text.length, label }] });
    });
    const job = await finished(lines.join("\n"), { hyperparameters: { epochCount: 1 } });
    const messages = await messagesOf(job);
    const told = messages.find((text) => text.startsWith("3 entities of training_file"));
    assert.match(told ?? "", /begin or end within a word/);
  });

  it("ends where the model is of another task, which is named beside the file's", async () => {
    const { model } = await modelOf(await finished(marked(60), { suffix: "a" }));
    const wrong = await finished(asJsonLines(easyLines(60)), { model: model.id });
    assert.equal(wrong.error?.code, "invalid_argument");
    assert.match(
      wrong.error.message,
      /rows are examples of text-classification, model "ft:.*" is of token-classification; create/,
    );
    const { model: other } = await modelOf(await finished(asJsonLines(easyLines(60))));
    const reverse = await finished(marked(60), { model: other.id });
    assert.match(reverse.error?.message ?? "", /examples of token-classification, model .* is of/);
    const validationFile = await storeFile(stack, asJsonLines(easyLines(60)));
    const mixed = await finished(marked(60), { validationFile });
    assert.match(
      mixed.error?.message ?? "",
      /those of training_file are of token-classification; give files of/,
    );
  });
});
