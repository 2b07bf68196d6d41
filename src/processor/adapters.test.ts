/** Adapters of every kind and place by the processor as a whole: computed, or refused by name. */
import assert from "node:assert/strict";
import { rm } from "node:fs/promises";
import { after, before, describe, it } from "node:test";
import { smallWords, writeSmallCheckpoint } from "../checkpoints/exam-small-checkpoint.ts";
import type { Precision } from "../entities/base-model.ts";
import { operator } from "../entities/caller.ts";
import { adapterKindNames, type TaskName } from "../foundation/kind-names.ts";
import { SeededRandom } from "../foundation/random.ts";
import type { AdapterForm } from "../models/adapter-kind.ts";
import { upperForm } from "../models/adapters/adapters.ts";
import {
  createRandomModel,
  maxDifference,
  openStack,
  type RandomModel,
  randomTensors,
  type Stack,
} from "./exam-stack.ts";
import type { OpenBase } from "./open-base.ts";
import { type ModelRequest } from "./processor.ts";
import { entitiesQuestion, labelsQuestion } from "./questions.ts";

let folder = "";

before(async () => {
  folder = await writeSmallCheckpoint();
});

after(() => rm(folder, { recursive: true }));

/** Layers 0 … 2, of which the last two are upper ones. */
const forms: readonly AdapterForm[] = adapterKindNames.flatMap((kind) =>
  [[0], [2], [1, 2], [0, 1, 2]].map((layers) => ({ kind, layers })),
);

const random = new SeededRandom(21);

function text(): string {
  const count = 1 + random.integer(20);
  return Array.from({ length: count }, () => smallWords[random.integer(40)]).join(" ");
}

/** The model, and beside it one of the same head alone. */
async function createBoth(stack: Stack, model: RandomModel): Promise<readonly [string, string]> {
  const tensors = randomTensors(stack.checkpoint, model);
  await createRandomModel(stack, { ...model, tensors });
  const head = new Map([...tensors].filter(([name]) => name.startsWith("head.")));
  // Of no rank or one by three the pooling is the mean.
  const id = `${model.id}-head`;
  await createRandomModel(stack, { ...model, id, rank: 0, tensors: head });
  return [model.id, id];
}

/** Numbers of an answer, in which all that the weights do shows. */
async function answer(
  stack: Stack,
  task: TaskName,
  request: ModelRequest,
): Promise<readonly number[]> {
  if (task === "text-classification") {
    const { probabilities } = await stack.processor.ask(operator, labelsQuestion, request);
    return probabilities.flatMap((row) => [...row]);
  }
  const { entities } = await stack.processor.ask(operator, entitiesQuestion, request);
  return entities.flatMap((list) => list.flatMap(({ start, end, score }) => [start, end, score]));
}

for (const task of ["text-classification", "token-classification"] as const)
  describe(`adapters of every kind for ${task}`, () => {
    for (const precision of ["fp32", "int8"] as const satisfies readonly Precision[])
      it(`act, and are among each other what they are alone: ${precision}`, async () => {
        const stack = await openStack({ folder, precision });
        const pairs: (readonly [string, string])[] = [];
        for (const [index, form] of forms.entries()) {
          const size = { rank: 3 + 6 * index, labelCount: 3, deviation: 0.3 };
          pairs.push(await createBoth(stack, { id: `m${index}`, task, form, ...size }));
        }
        const texts = Array.from({ length: 6 }, text);
        const models = pairs.flat();
        const ask = (model: string): Promise<readonly number[]> =>
          answer(stack, task, { model, inputs: texts });
        const together = await Promise.all(models.map(ask));
        const alone = new Map<string, readonly number[]>();
        for (const [index, model] of models.entries()) {
          const own = await ask(model);
          alone.set(model, own);
          assert.ok(own.length > 0);
          const most = maxDifference(own, together[index] ?? []);
          assert.ok(most <= 2e-6, `${model}: ${most}`);
        }
        for (const [index, [model, head]] of pairs.entries()) {
          const difference = maxDifference(alone.get(model) ?? [], alone.get(head) ?? []);
          assert.ok(difference > 1e-4, `${JSON.stringify(forms[index])}: ${difference}`);
        }
        await stack.close();
      });
  });

describe("adapters that a lane does not compute", () => {
  it("are refused by name, and never answered without", async () => {
    const adapters = (base: OpenBase): readonly AdapterForm[] => [
      upperForm(base.checkpoint.config),
    ];
    const stack = await openStack({
      ...{ folder, precision: "fp32" },
      narrowed: (base) => ({
        ...base,
        lanes: {
          sequence: { ...base.lanes.sequence, adapters: adapters(base) },
          token: { ...base.lanes.token, adapters: adapters(base) },
        },
      }),
    });
    for (const task of ["text-classification", "token-classification"] as const)
      for (const [index, form] of forms.entries()) {
        const model = `${task}-${index}`;
        await createRandomModel(stack, { id: model, task, form, rank: 4, labelCount: 2 });
        const asked = answer(stack, task, { model, inputs: ["w1 w2 w3"] });
        if (form.kind === "bottleneck" && form.layers[0] !== 0) await asked;
        else
          await assert.rejects(asked, {
            code: "CONFLICT",
            message: new RegExp(
              `^Cannot answer with version 1 of "${model}": its adapter acts in layers ` +
                `${form.layers.join(", ")} as ${form.kind}, ` +
                "the base is open for bottleneck in 1, 2$",
            ),
          });
      }
    await stack.close();
  });
});
