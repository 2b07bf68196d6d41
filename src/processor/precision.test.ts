/** A server that is started with another precision answers, and says so once of a base. */
import assert from "node:assert/strict";
import { rm } from "node:fs/promises";
import { test } from "node:test";
import { writeSmallCheckpoint } from "../checkpoints/exam-small-checkpoint.ts";
import { operator } from "../entities/caller.ts";
import { silentTelemetry } from "../foundation/telemetry.ts";
import { createRandomModel, openStack } from "./exam-stack.ts";
import { labelsQuestion } from "./questions.ts";

for (const { precision, warnings } of [
  { precision: "fp32", warnings: [] },
  {
    precision: "int8",
    warnings: [{ base: "base", model: "first", version: 1, fitted: "fp32", serving: "int8" }],
  },
] as const)
  test(`versions fitted on fp32 are answered over ${precision}`, async () => {
    const folder = await writeSmallCheckpoint();
    const told: unknown[] = [];
    const log = {
      ...silentTelemetry.log,
      warn: (_message: string, fields: unknown): void => void told.push(fields),
    };
    const stack = await openStack({ folder, precision, log });
    for (const id of ["first", "second"]) {
      await createRandomModel(stack, { id, rank: 4, labelCount: 2 });
      for (const inputs of [["w1"], ["w2"]]) {
        const answer = await stack.processor.ask(operator, labelsQuestion, { model: id, inputs });
        const [[no = NaN, yes = NaN] = []] = answer.probabilities;
        assert.ok(Math.abs(no + yes - 1) < 1e-5);
      }
    }
    assert.deepEqual(told, warnings);
    await stack.close();
    await rm(folder, { recursive: true });
  });
