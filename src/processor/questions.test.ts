/** Entities by the processor as a whole, over a small base: alone as among others, and whose. */
import assert from "node:assert/strict";
import { rm } from "node:fs/promises";
import { after, before, describe, it, test } from "node:test";
import { smallWords, writeSmallCheckpoint } from "../checkpoints/exam-small-checkpoint.ts";
import { operator } from "../entities/caller.ts";
import type { Precision } from "../entities/base-model.ts";
import { StrataError } from "../foundation/errors.ts";
import { SeededRandom } from "../foundation/random.ts";
import { createRandomModel, openStack, type Stack } from "./exam-stack.ts";
import {
  type EntitiesAnswer,
  embeddingsQuestion,
  entitiesQuestion,
  labelsQuestion,
  questionOf,
} from "./questions.ts";
import type { Encoded } from "../formats/formats.ts";
import { tokenClassification, type TokenOutputs } from "../tasks/token-classification.ts";
import { textClassification } from "../tasks/text-classification.ts";
import type { ResolvedVersion } from "./model-directory.ts";
import type { AnswerFacts, Question, Ran } from "./processor.ts";

let folder = "";
const stacks = new Map<Precision, Stack>();

before(async () => {
  folder = await writeSmallCheckpoint();
  for (const precision of ["fp32", "int8"] as const)
    stacks.set(precision, await openStack({ folder, precision }));
});

after(async () => {
  for (const stack of stacks.values()) await stack.close();
  await rm(folder, { recursive: true });
});

const random = new SeededRandom(12);

function textOf(wordCount: number): string {
  return Array.from({ length: wordCount }, () => smallWords[random.integer(40)]).join(" ");
}

/** All that an answer says, with scores to five digits. */
function said({ entities, isTruncated }: EntitiesAnswer): string {
  const rounded = entities.map((list) =>
    list.map(({ score, ...rest }) => ({ ...rest, score: score.toFixed(4) })),
  );
  return JSON.stringify([rounded, isTruncated]);
}

test("what decodes another lane's answers is no question to a kind of task", () => {
  const decode = ({ answers }: Ran<TokenOutputs, Encoded, ResolvedVersion>) => ({
    beliefs: answers.map(({ beliefs }) => beliefs),
  });
  interface Beliefs extends AnswerFacts {
    readonly beliefs: readonly Float32Array[];
  }
  const right: Question<Beliefs> = questionOf(tokenClassification, decode);
  // @ts-expect-error What is said of a whole text has no outputs of tokens.
  const wrong: Question<Beliefs> = questionOf(textClassification, decode);
  assert.deepEqual([right.task, wrong.task], ["token-classification", "text-classification"]);
});

describe("entities", () => {
  for (const precision of ["fp32", "int8"] as const)
    it(`are the same among 60 concurrent requests as alone, ${precision}`, async () => {
      const stack = stacks.get(precision) ?? assert.fail("both are open");
      const models = Array.from({ length: 6 }, (_, index) => ({
        id: `spans-${index}`,
        task: "token-classification" as const,
        rank: index % 3 === 0 ? 0 : 1 + random.integer(64),
        labelCount: 1 + random.integer(7),
        deviation: 0.5,
      }));
      for (const model of models) await createRandomModel(stack, model);
      await createRandomModel(stack, { id: "labels", rank: 16, labelCount: 3 });
      const requests = Array.from({ length: 60 }, () => ({
        model: models[random.integer(6)]?.id ?? "",
        inputs: Array.from({ length: 1 + random.integer(4) }, () => textOf(1 + random.integer(25))),
      }));
      const others = requests.map(({ inputs }) =>
        stack.processor.ask(operator, labelsQuestion, { model: "labels", inputs }),
      );
      const together = await Promise.all(
        requests.map((request) => stack.processor.ask(operator, entitiesQuestion, request)),
      );
      await Promise.all(others);
      let entityCount = 0;
      for (const [index, request] of requests.entries()) {
        const alone = await stack.processor.ask(operator, entitiesQuestion, request);
        const shared = together[index] ?? assert.fail("an answer to each request");
        assert.equal(said(shared), said(alone));
        for (const [place, text] of request.inputs.entries())
          for (const { start, end, word, score } of alone.entities[place] ?? []) {
            assert.equal(text.slice(start, end), word);
            assert.ok(score > 0 && score <= 1);
            entityCount += 1;
          }
      }
      assert.ok(entityCount > 100, `${entityCount} entities`);
    });

  it("are cut off with a text that is too long, which is told or refused", async () => {
    const stack = stacks.get("fp32") ?? assert.fail("it is open");
    const { tokensMax } = stack.checkpoint;
    const task = "token-classification";
    await createRandomModel(stack, { id: "cut", task, rank: 4, labelCount: 2, deviation: 0.5 });
    const texts = [textOf(tokensMax + 10), textOf(3)];
    const answer = await stack.processor.ask(operator, entitiesQuestion, {
      model: "cut",
      inputs: texts,
    });
    assert.deepEqual(answer.isTruncated, [true, false]);
    assert.equal(answer.tokenCount, tokensMax + 5);
    await assert.rejects(
      stack.processor.ask(operator, entitiesQuestion, {
        model: "cut",
        inputs: texts,
        truncate: false,
      }),
      { code: "CONTEXT_LENGTH" },
    );
  });

  it("are not asked of other models, nor labels of these: the right route is named", async () => {
    const stack = stacks.get("fp32") ?? assert.fail("it is open");
    const { processor } = stack;
    const task = "token-classification";
    await createRandomModel(stack, { id: "words", task, rank: 4, labelCount: 2 });
    await createRandomModel(stack, { id: "wholes", rank: 4, labelCount: 2 });
    const texts = ["w1"];
    const cases = [
      [
        () => processor.ask(operator, labelsQuestion, { model: "words", inputs: texts }),
        /POST \/v1\/classify-tokens/,
      ],
      [
        () => processor.ask(operator, entitiesQuestion, { model: "wholes", inputs: texts }),
        /POST \/v1\/classify /,
      ],
      [
        () => processor.ask(operator, entitiesQuestion, { model: "base", inputs: texts }),
        /it is a base model/,
      ],
    ] as const;
    for (const [call, message] of cases)
      await assert.rejects(call, (error: unknown) => {
        assert.ok(error instanceof StrataError);
        assert.equal(error.code, "INVALID_ARGUMENT");
        assert.match(error.message, message);
        return true;
      });
    // Its adapted layers embed as those of any model.
    const { embeddings } = await processor.ask(operator, embeddingsQuestion, {
      model: "words",
      inputs: texts,
    });
    assert.ok(Math.abs(Math.hypot(...(embeddings[0] ?? [])) - 1) < 1e-5);
  });
});
