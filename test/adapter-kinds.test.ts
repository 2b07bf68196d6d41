/** Kinds of adapters on a real base: each learns what a head alone cannot, and serves it so. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { operator } from "../src/entities/caller.ts";
import type { Hyperparameters } from "../src/entities/job.ts";
import { present } from "../src/foundation/assert.ts";
import { permutation, SeededRandom } from "../src/foundation/random.ts";
import { answersTo } from "../src/learning/answers.ts";
import { textClassification } from "../src/tasks/text-classification.ts";
import { TrainingBase } from "../src/learning/training-base.ts";
import type { Value } from "../src/runtime/runtime.ts";
import { decodeWeights } from "../src/formats/safetensors.ts";
import { openStack } from "../src/processor/exam-stack.ts";
import { ExamTrainer } from "../src/trainer/exam-trainer.ts";
import { realBaseFolder } from "./exam-real-base.ts";
import { labelsQuestion } from "../src/processor/questions.ts";

const animals = ["cat", "dog", "wolf", "horse", "mouse", "lion"];
const birds = ["owl", "raven", "goose", "swan", "hawk", "duck"];
const verbs = ["chases", "follows", "watches", "frightens", "helps", "finds"];

/** Both labels have the same words: who acts is told by their order alone. */
function sentences(): readonly { readonly text: string; readonly label: string }[] {
  const all = animals.flatMap((animal) =>
    birds.flatMap((bird) =>
      verbs.flatMap((verb) => [
        { text: `the ${animal} ${verb} the ${bird}`, label: "animal" },
        { text: `the ${bird} ${verb} the ${animal}`, label: "bird" },
      ]),
    ),
  );
  const order = permutation(all.length, new SeededRandom(11));
  return [...order].map((index) => present(all[index], "a place of the list"));
}

const kinds: readonly Partial<Hyperparameters>[] = [
  { adapter: "bottleneck", rank: 16, layers: "upper" },
  { adapter: "lora", rank: 8, layers: "upper" },
  { adapter: "lora", rank: 8, layers: "all" },
];

test("LoRA in the upper or in all layers learns as a bottleneck does", async (context) => {
  const folder = await realBaseFolder(context);
  if (folder === undefined) return;
  const stack = await openStack({ folder, precision: "int8" });
  const { checkpoint, weights, runtime, store, processor } = stack;
  const base = new TrainingBase({ checkpoint, weights, precision: "int8", runtime });
  const exam = new ExamTrainer(stack, base);
  await exam.trainer.start();
  const all = sentences();
  const [train, unseen] = [all.slice(0, 240), all.slice(240, 340)];
  const texts = unseen.map(({ text }) => text);
  const { ids } = await (await checkpoint.tokenizer()).encode(texts);
  const shares: number[] = [];
  for (const hyperparameters of kinds) {
    const done = await exam.run(train, {
      seed: 5,
      hyperparameters: { epochCount: 9, ...hyperparameters },
    });
    assert.equal(done.status, "succeeded", done.error?.message);
    const name = present(done.model, "a job that succeeded has a model");
    const { versions } = await exam.modelOf(name);
    const version = present(versions[1], "it was trained");
    const { adapter, labels, pooling, blob } = version;
    assert.ok(adapter !== undefined);
    const firstLayer = hyperparameters.layers === "all" ? 0 : 3;
    assert.deepEqual(adapter.layers, [0, 1, 2, 3, 4, 5].slice(firstLayer));
    const served = await processor.ask(operator, labelsQuestion, {
      model: `${name}@2`,
      inputs: texts,
    });
    const answers = served.probabilities.map((row) => labels[row.indexOf(Math.max(...row))]);
    const right = answers.filter((answer, index) => answer === unseen[index]?.label).length;
    shares.push(right / unseen.length);
    const tensors = new Map<string, Value>();
    for (const [tensor, { shape, values }] of decodeWeights(await store.blobs.get(blob)))
      tensors.set(tensor, { kind: "value", type: "float32", shape, values });
    const source = { ids, states: undefined };
    const asked = { kind: textClassification, labelCount: labels.length, pooling, source };
    const learned = await answersTo(base, asked, { method: "adapter", adapter, tensors });
    assert.deepEqual(
      answers,
      learned.map((answer) => textClassification.spelled(answer, labels)),
    );
  }
  await exam.close();
  const [bottleneck = NaN, ...loras] = shares;
  context.diagnostic(`right of unseen texts: ${shares.join(", ")}`);
  assert.ok(bottleneck >= 0.9, shares.join());
  for (const share of loras) assert.ok(share >= bottleneck - 0.05, shares.join());
});
