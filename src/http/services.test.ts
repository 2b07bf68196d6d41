/** The stand-ins of HTTP's tests sit the exams of what they stand for. */
import { operator } from "../entities/caller.ts";
import { systemClock } from "../foundation/clock.ts";
import { storedFile } from "../files/exam-file.ts";
import { asJsonLines, easyLines } from "../learning/exam-lines.ts";
import { examineProcessor } from "../processor/conformance.ts";
import { examineTrainer } from "../trainer/conformance.ts";
import { createFinder, standInBase, standInServices } from "./exam-services.ts";

examineProcessor("the stand-in", async () => {
  const services = await standInServices(systemClock);
  const { processor, creator } = services;
  const [base, labels] = [standInBase.id, ["ham", "spam"]];
  await createFinder(services, "tokens");
  await creator.create(operator, { id: "empty", base, labels });
  return {
    processor,
    caller: operator,
    names: { base, texts: "spam", tokens: "tokens", empty: "empty" },
    longText: "w1 ".repeat(40).trim(),
    close: () => Promise.resolve(),
  };
});

examineTrainer("the stand-in", async () => {
  const { trainer, store } = await standInServices(systemClock);
  const lines = easyLines(60).map(({ text, label }) => ({
    text,
    label: label === "high" ? "ham" : "spam",
  }));
  return {
    trainer,
    caller: operator,
    catalog: store.catalog.of(operator),
    base: standInBase.id,
    trainingFile: await storedFile(store, asJsonLines(lines)),
    labels: ["ham", "spam"],
    close: () => Promise.resolve(),
  };
});
