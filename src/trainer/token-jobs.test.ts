/** Jobs on files of entities: versions, figures and verdicts as of any task. */
import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { operator } from "../entities/caller.ts";
import type { Job, JobSpecification } from "../entities/job.ts";
import { SeededRandom } from "../foundation/random.ts";
import { easyLines, type Line, markedLines } from "../learning/exam-lines.ts";
import { type ExamTrainer, openExamTrainer, wellTrained } from "./exam-trainer.ts";

let exam: ExamTrainer;

before(async () => {
  exam = await openExamTrainer();
});

after(() => exam.close());

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

function finished(
  lines: readonly Line[] | string,
  rest: Partial<JobSpecification> = {},
): Promise<Job> {
  return exam.run(lines, { hyperparameters: wellTrained, ...rest });
}

describe("a job on entities", () => {
  it("serves an instant version, then a trained one that is better", async () => {
    const job = await finished(marked(400), { suffix: "spans" });
    const { model, versions } = await exam.modelOf(job.model);
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
    const { versions } = await exam.modelOf(job.model);
    const messages = await exam.messagesOf(job);
    assert.ok(messages.some((text) => /instant head, .* F1 over the entities of \d+/.test(text)));
    assert.ok(messages.some((text) => /dev f1 \d/.test(text)));
    assert.match(
      versions[1]?.verdict ?? "",
      /^Served: .* version 1 on \d+ texts .*: F1 \d+\.\d % against \d+\.\d %, fewer errors in \d+/,
    );
  });

  it("is compared with the served version, and with what was derived from it", async () => {
    const first = await finished(marked(300), { suffix: "once" });
    const { model } = await exam.modelOf(first.model);
    const noise = { noise: 1e-3, seed: 1 };
    await exam.stack.creator.derive(operator, { source: model, ids: ["copy"], ...noise });
    for (const name of [model.id, "copy"]) {
      const again = await finished(marked(300), { model: name });
      const { versions } = await exam.modelOf(again.model);
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
    const messages = await exam.messagesOf(job);
    const told = messages.find((text) => text.startsWith("3 entities of training_file"));
    assert.match(told ?? "", /begin or end within a word/);
  });

  it("ends where the model is of another task, which is named beside the file's", async () => {
    const { model } = await exam.modelOf((await finished(marked(60), { suffix: "a" })).model);
    const wrong = await finished(easyLines(60), { model: model.id });
    assert.equal(wrong.error?.code, "invalid_argument");
    assert.match(
      wrong.error.message,
      /rows are examples of text-classification, model "ft:.*" is of token-classification; create/,
    );
    const { model: other } = await exam.modelOf((await finished(easyLines(60))).model);
    const reverse = await finished(marked(60), { model: other.id });
    assert.match(reverse.error?.message ?? "", /examples of token-classification, model .* is of/);
    const validationFile = await exam.upload(easyLines(60));
    const mixed = await finished(marked(60), { validationFile });
    assert.match(
      mixed.error?.message ?? "",
      /those of training_file are of token-classification; give files of/,
    );
  });
});
