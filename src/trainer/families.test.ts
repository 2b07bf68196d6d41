/** A model on a base of another family than BERT: from lines to a served version. */
import assert from "node:assert/strict";
import { rm } from "node:fs/promises";
import { test } from "node:test";
import { writeSmallCheckpoint } from "../checkpoints/exam-small-checkpoint.ts";
import { operator } from "../entities/caller.ts";
import { trainingBaseOf } from "../learning/exam-base.ts";
import { asJsonLines, hardLines } from "../learning/exam-lines.ts";
import { openStack } from "../processor/exam-stack.ts";
import { openTrainer, storeFile } from "./exam-trainer.ts";

test("a text classifier is trained on MPNet and served", { timeout: 120_000 }, async () => {
  const folder = await writeSmallCheckpoint("mpnet");
  const stack = await openStack({ folder, precision: "fp32" });
  const trainer = openTrainer(stack, trainingBaseOf(stack));
  try {
    await trainer.start();
    const trainingFile = await storeFile(stack, asJsonLines(hardLines(300)));
    const hyperparameters = { epochCount: 12, learningRate: 0.01, rank: 16 };
    const job = await trainer.submit(operator, { model: "base", trainingFile, hyperparameters });
    const done = await trainer.finished(operator, job.id);
    assert.equal(done.status, "succeeded", done.error?.message);
    // Texts that it has not seen, which the base alone does not tell apart.
    const unseen = hardLines(100, 5);
    const answer = await stack.processor.ask(operator, "labels", {
      model: done.model ?? "",
      inputs: unseen.map(({ text }) => text),
    });
    assert.equal(answer.version, 2);
    const rightCount = unseen.filter(({ label }, index) => {
      const [other = 0, same = 0] = answer.probabilities[index] ?? [];
      return (same > other ? "same" : "other") === label;
    }).length;
    assert.ok(rightCount >= 85, `${rightCount} of 100 are right`);
  } finally {
    await trainer.close();
    await stack.close();
    await rm(folder, { recursive: true });
  }
});
