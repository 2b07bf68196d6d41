import { rm } from "node:fs/promises";
import { writeSmallCheckpoint } from "../checkpoints/exam-small-checkpoint.ts";
import { operator } from "../entities/caller.ts";
import { examineProcessor } from "./conformance.ts";
import { createRandomModel, openStack } from "./exam-stack.ts";

examineProcessor("the product's", async () => {
  const folder = await writeSmallCheckpoint();
  const stack = await openStack({ folder, precision: "fp32" });
  const [texts, tokens, empty] = ["texts", "tokens", "empty"];
  await createRandomModel(stack, { id: texts, rank: 4, labelCount: 2 });
  await createRandomModel(stack, {
    ...{ id: tokens, rank: 4, labelCount: 2, task: "token-classification", deviation: 1 },
  });
  await stack.creator.create(operator, { id: empty, base: "base", labels: ["a", "b"] });
  return {
    processor: stack.processor,
    caller: operator,
    names: { base: "base", texts, tokens, empty },
    longText: "w1 ".repeat(40).trim(),
    async close() {
      await stack.close();
      await rm(folder, { recursive: true });
    },
  };
});
