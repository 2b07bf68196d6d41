import { operator } from "../entities/caller.ts";
import { easyLines } from "../learning/exam-lines.ts";
import { examineTrainer } from "./conformance.ts";
import { openExamTrainer } from "./exam-trainer.ts";

examineTrainer("the product's", async () => {
  const exam = await openExamTrainer();
  return {
    trainer: exam.trainer,
    caller: operator,
    catalog: exam.stack.store.catalog.of(operator),
    base: "base",
    trainingFile: await exam.upload(easyLines(60)),
    labels: ["high", "low"],
    close: () => exam.close(),
  };
});
