/** Figures that cannot be learned by heart, and which of two versions is served, by whole jobs. */
import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { smallWords } from "../checkpoints/exam-small-checkpoint.ts";
import { operator } from "../entities/caller.ts";
import type { JobSpecification } from "../entities/job.ts";
import type { Version } from "../entities/virtual-model.ts";
import { decodeWeights } from "../formats/safetensors.ts";
import { permutation, SeededRandom } from "../foundation/random.ts";
import { type Line, markedLines } from "../learning/exam-lines.ts";
import { modelNamed } from "../processor/exam-stack.ts";
import { type ExamTrainer, openExamTrainer } from "./exam-trainer.ts";
import { labelsQuestion } from "../processor/questions.ts";

let exam: ExamTrainer;
let modelCount = 0;

before(async () => {
  exam = await openExamTrainer();
});

after(() => exam.close());

/** A model with an instant version; its name. */
async function created(lines: readonly Line[]): Promise<string> {
  return (await exam.create(`honest-${++modelCount}`, lines)).id;
}

async function versionsOf(id: string): Promise<readonly Version[]> {
  return (await exam.modelOf(id)).versions;
}

/** Trains the model further; its new version, whether it is served, and what was said. */
async function trained(id: string, lines: readonly Line[], rest: Partial<JobSpecification> = {}) {
  const hyperparameters = { epochCount: 4, learningRate: 0.01 };
  const done = await exam.run(lines, { model: id, hyperparameters, ...rest });
  assert.equal(done.status, "succeeded", done.error?.message);
  const { model, versions } = await exam.modelOf(id);
  const version = versions.at(-1);
  assert.ok(version !== undefined);
  const isServed = model.servedVersion === version.number;
  return { version, isServed, messages: await exam.messagesOf(done) };
}

function coinFlips(count: number, random: SeededRandom): readonly Line[] {
  const word = (): string => smallWords[random.integer(40)] ?? "";
  return Array.from({ length: count }, () => ({
    text: `${word()} ${word()} ${word()} ${word()}`,
    label: random.uniform() < 0.5 ? "heads" : "tails",
  }));
}

function withLabels(lines: readonly Line[], labelOf: (line: Line) => string): readonly Line[] {
  return lines.map((line) => ({ text: line.text, label: labelOf(line) }));
}

describe("the figure of coin flips", () => {
  const moved = (lines: readonly Line[]): readonly Line[] =>
    [...permutation(lines.length, new SeededRandom(1))].flatMap((index) => lines[index] ?? []);
  const changes: Readonly<Record<string, (lines: readonly Line[]) => readonly Line[]>> = {
    "three rows more": (lines) => [...coinFlips(3, new SeededRandom(77)), ...lines],
    "rows moved": moved,
    "each row four times": (lines) => moved([...lines, ...lines, ...lines, ...lines]),
    "other spaces and case": (lines) =>
      lines.map(({ text, label }) => ({
        text: ` ${text.toUpperCase().replaceAll(" ", "  ")}`,
        label,
      })),
  };
  for (const [what, change] of Object.entries(changes))
    it(`is one half, before and after ${what}`, async () => {
      const taskCount = 12;
      const figures = { first: new Array<number>(), second: new Array<number>() };
      for (let seed = 0; seed < taskCount; seed++) {
        const lines = coinFlips(200, new SeededRandom(seed));
        const id = await created(lines);
        await trained(id, change(lines));
        const [first, second] = await versionsOf(id);
        const served = (await modelNamed(exam.stack, id)).servedVersion === 1 ? first : second;
        figures.first.push(first?.metrics["devAccuracy"] ?? NaN);
        figures.second.push(served?.metrics["devAccuracy"] ?? NaN);
        assert.ok((first?.metrics["devCount"] ?? NaN) > 10);
      }
      for (const values of Object.values(figures)) {
        const mean = values.reduce((a, b) => a + b, 0) / taskCount;
        // The deviation of a mean of 12 shares of some 30 flips is 0.026.
        assert.ok(Math.abs(mean - 0.5) < 0.08, `${values.join()}: mean ${mean}`);
      }
    });
});

describe("a second version", () => {
  it("from wrong labels is not served, and it is said why", async () => {
    const lines = markedLines(300);
    const id = await created(lines);
    const random = new SeededRandom(5);
    const guess = (): string => (random.uniform() < 0.5 ? "high" : "low");
    for (const file of [withLabels(lines, guess), withLabels(markedLines(300, 8), guess)]) {
      const { version, isServed, messages } = await trained(id, file);
      assert.equal(isServed, false);
      assert.equal(version.outcome, "not_served");
      assert.match(version.verdict ?? "", /^Not served: worse than version 1 on \d+ texts/);
      assert.ok(messages.includes(`Version ${version.number}: ${version.verdict}`));
      const { comparedCount = 0, differenceHigh = 0 } = version.metrics;
      assert.ok(comparedCount >= 20 && differenceHigh < 0);
    }
  });

  it("takes the place of one that had learned wrong labels", async () => {
    const lines = markedLines(300);
    const random = new SeededRandom(6);
    const id = await created(withLabels(lines, () => (random.uniform() < 0.5 ? "high" : "low")));
    const { version, isServed } = await trained(id, lines, {
      hyperparameters: { epochCount: 12, learningRate: 0.01 },
    });
    assert.ok(isServed, version.verdict);
  });

  it("brings labels that the first one did not have, behind those that it had", async () => {
    const lines = markedLines(200);
    const id = await created(lines);
    const more = markedLines(200, 9).map(({ text }) => ({
      text: `w37 ${text}`,
      label: "a new one",
    }));
    const { version, isServed } = await trained(id, [...lines, ...more]);
    assert.deepEqual(version.labels, ["high", "low", "a new one"]);
    assert.ok(isServed, version.verdict);
    const answer = await exam.stack.processor.ask(operator, labelsQuestion, {
      model: id,
      inputs: ["w1"],
    });
    assert.equal(answer.probabilities[0]?.length, 3);
  });

  it("fits no instant head, which nobody would call", async () => {
    const id = await created(markedLines(100));
    const { messages } = await trained(id, markedLines(100));
    assert.ok(!messages.some((message) => /instant/.test(message)), messages.join("\n"));
  });

  it("wins where what the first one remembers is lost, and the loss is named", async () => {
    const id = await created(markedLines(100));
    const [first] = await versionsOf(id);
    assert.ok(first?.evidence !== undefined);
    await exam.stack.store.blobs.remove(first.evidence);
    const { version, isServed, messages } = await trained(id, markedLines(100));
    assert.ok(isServed);
    const damage = `Cannot read blob "${first.evidence}": there is none`;
    assert.equal(version.verdict, `Served: version 1 cannot be compared with: ${damage}`);
    assert.ok(messages.includes(damage));
  });

  it("wins where the first one does not tell what it has seen", async () => {
    const id = await created(markedLines(100));
    const [first] = await versionsOf(id);
    assert.ok(first !== undefined);
    const { tensors, ...facts } = await weightsOf(first);
    await exam.stack.creator.publish(operator, await modelNamed(exam.stack, id), {
      ...facts,
      tensors,
      isServed: true,
    });
    const { version, isServed } = await trained(id, markedLines(100));
    assert.ok(isServed);
    assert.equal(version.metrics["comparedCount"], 0);
    assert.match(version.verdict ?? "", /no text is known that neither it nor version 2/);
  });

  it("is compared by the answers of what was derived, not of its source", async () => {
    const lines = markedLines(400);
    const source = await modelNamed(exam.stack, await created(lines));
    const id = `derived-${++modelCount}`;
    // So much noise leaves nothing of the head.
    await exam.stack.creator.derive(operator, { source, ids: [id], noise: 10, seed: 3 });
    const { version } = await trained(id, lines);
    const baseline = version.metrics["baselineDevAccuracy"] ?? NaN;
    const [first] = await versionsOf(source.id);
    assert.ok(baseline < (first?.metrics["devAccuracy"] ?? NaN) - 0.2, `${baseline}`);
  });

  it("is compared with what is served when it is done", async () => {
    const lines = markedLines(200);
    const id = await created(lines);
    await trained(id, lines);
    const model = await modelNamed(exam.stack, id);
    await exam.stack.creator.serve(operator, model, 2);
    const job = await exam.submit(lines, { model: id });
    let rolledBack: Promise<unknown> | undefined;
    exam.trainer.watch(operator, job.id, ({ message }) => {
      if (message.startsWith("Step")) rolledBack ??= exam.stack.creator.serve(operator, model, 1);
    });
    assert.equal((await exam.finished(job)).status, "succeeded");
    await rolledBack;
    assert.match((await versionsOf(id)).at(-1)?.verdict ?? "", /than version 1 /);
  });
});

describe("what is held out", () => {
  it("is the validation file, which is not trained on", async () => {
    const lines = markedLines(100);
    const validation = [...lines.slice(0, 10), ...lines.slice(0, 5), ...markedLines(30, 12)];
    const texts = (of: readonly Line[]): ReadonlySet<string> => new Set(of.map(({ text }) => text));
    const validationFile = await exam.upload(validation);
    const id = await created(lines);
    const { version, messages } = await trained(id, lines, { validationFile });
    assert.equal(version.metrics["devCount"], texts(validation).size);
    const overlap = lines.filter(({ text }) => texts(validation).has(text)).length;
    assert.ok(overlap >= 10);
    assert.ok(
      messages.some((message) =>
        message.startsWith(`${overlap} examples of training_file stand in validation_file too`),
      ),
      messages.join("\n"),
    );
  });

  it("may be nothing: then there is no figure, and that is said", async () => {
    // Each label has one text: it is learned, whichever side it would be on.
    const lines = ["w1", "w2", "w1", "w2"].map((text, index) => ({
      text,
      label: index % 2 === 0 ? "one" : "two",
    }));
    const id = await created(lines);
    const { version, messages } = await trained(id, lines);
    assert.deepEqual(version.metrics, { devCount: 0, comparedCount: 0 });
    assert.ok(messages.some((message) => /too few texts to hold any out: no figure/.test(message)));
  });
});

async function weightsOf(version: Version) {
  const tensors = decodeWeights(await exam.stack.store.blobs.get(version.blob));
  const { kind, task, labels, adapter, form, domain, pooling, precision } = version;
  const fit = { task, labels, adapter, form, domain, pooling, precision };
  return { ...fit, kind, metrics: {}, tensors };
}
