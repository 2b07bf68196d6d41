/** A model on a base of another family than BERT: from lines to a served version. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { hardLines } from "../learning/exam-lines.ts";
import { openExamTrainer, rightCountOf, wellTrained } from "./exam-trainer.ts";

test("a text classifier is trained on MPNet and served", { timeout: 120_000 }, async () => {
  const exam = await openExamTrainer("mpnet");
  try {
    const done = await exam.run(hardLines(300), { hyperparameters: wellTrained });
    assert.equal(done.status, "succeeded", done.error?.message);
    // Texts that it has not seen, which the base alone does not tell apart.
    const unseen = hardLines(100, 5);
    const answer = await exam.classify(
      done.model,
      unseen.map(({ text }) => text),
    );
    assert.equal(answer.version, 2);
    const rightCount = rightCountOf(answer, unseen);
    assert.ok(rightCount >= 85, `${rightCount} of 100 are right`);
  } finally {
    await exam.close();
  }
});
