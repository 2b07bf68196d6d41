/**
 * The exam of `Processor`, which stand-ins sit as well: whatever is tested above one of them meets
 * answers and refusals of the same kinds as from the product's.
 */
import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { actingFor, type Caller } from "../entities/caller.ts";
import { StrataError } from "../foundation/errors.ts";
import type { AnswerFacts, ModelRequest, Processor, Question } from "./processor.ts";
import { embeddingsQuestion, entitiesQuestion, labelsQuestion } from "./questions.ts";

/** A processor, and whom and what it knows. */
export interface ProcessorExam {
  readonly processor: Processor;
  readonly caller: Caller;
  /** A base, and vPLMs of it, by what they are for; `empty` has no version. */
  readonly names: Readonly<Record<"base" | "texts" | "tokens" | "empty", string>>;
  /** More words than the base reads. */
  readonly longText: string;
  close(): Promise<void>;
}

const inputs = ["w1 w2", "w3", "w1 w2"];

export function examineProcessor(name: string, open: () => Promise<ProcessorExam>): void {
  describe(`${name}, as a processor`, () => {
    let exam: ProcessorExam;
    before(async () => {
      exam = await open();
    });
    after(() => exam.close());

    const ask = <Answer extends AnswerFacts>(
      question: Question<Answer>,
      request: Partial<ModelRequest>,
    ): Promise<Answer> =>
      exam.processor.ask(exam.caller, question, { model: exam.names.texts, inputs, ...request });

    const refused = async (
      code: string,
      question: Question<AnswerFacts>,
      request: Partial<ModelRequest>,
    ): Promise<void> => assert.rejects(ask(question, request), { code });

    it("says how probable each label is, the same for the same text", async () => {
      const { version, labels, probabilities } = await ask(labelsQuestion, {});
      assert.equal(version, 1);
      assert.equal(probabilities.length, inputs.length);
      for (const row of probabilities) {
        assert.equal(row.length, labels.length);
        assert.ok(row.every((value) => value >= 0 && value <= 1));
        assert.ok(Math.abs(row.reduce((sum, value) => sum + value, 0) - 1) < 1e-5);
      }
      assert.deepEqual(probabilities[2], probabilities[0]);
    });

    it("finds entities in their places", async () => {
      const model = exam.names.tokens;
      const texts = ["W1 w2", "w3 W4"];
      const { version, entities } = await ask(entitiesQuestion, { model, inputs: texts });
      assert.deepEqual([version, entities.length], [1, texts.length]);
      for (const [index, found] of entities.entries())
        for (const { start, end, word, score } of found) {
          assert.equal(texts[index]?.slice(start, end), word);
          assert.ok(score > 0 && score <= 1);
        }
    });

    it("embeds by a base and by its models, in vectors of length 1", async () => {
      for (const model of [exam.names.base, exam.names.texts]) {
        const { embeddings } = await ask(embeddingsQuestion, { model });
        assert.equal(embeddings.length, inputs.length);
        for (const vector of embeddings)
          assert.ok(Math.abs(Math.hypot(...vector) - 1) < 1e-5, `${model}: ${vector.join()}`);
      }
    });

    it("tells what it has read, and how long that took", async () => {
      const { texts: model } = exam.names;
      const { timings, ...facts } = await ask(labelsQuestion, { inputs: ["w1", exam.longText] });
      assert.equal(facts.model, model);
      assert.deepEqual(facts.isTruncated, [false, true]);
      assert.ok(facts.tokenCount >= 2);
      for (const ms of Object.values(timings)) assert.ok(ms >= 0);
      const uncut = { inputs: ["w1", exam.longText], truncate: false };
      await refused("CONTEXT_LENGTH", labelsQuestion, uncut);
    });

    it("answers by the version that is named, and by no other model", async () => {
      const { texts, empty } = exam.names;
      assert.equal((await ask(labelsQuestion, { model: `${texts}@1` })).version, 1);
      for (const model of [`${texts}@7`, "nobody", `${texts}@`])
        await refused("NOT_FOUND", labelsQuestion, { model });
      await refused("CONFLICT", labelsQuestion, { model: empty });
    });

    it("refuses a question of another task, and one of labels to a base", async () => {
      const { base, texts, tokens } = exam.names;
      await refused("INVALID_ARGUMENT", labelsQuestion, { model: base });
      await refused("INVALID_ARGUMENT", labelsQuestion, { model: tokens });
      await refused("INVALID_ARGUMENT", entitiesQuestion, { model: texts });
    });

    it("knows no model of another tenant", async () => {
      const request = { model: exam.names.texts, inputs };
      const asked = exam.processor.ask(actingFor("tenant-other"), labelsQuestion, request);
      await assert.rejects(asked, { code: "NOT_FOUND" });
    });

    it("asks whether the answer may be as large, of what will answer", async () => {
      const refusal = new StrataError("TOO_LARGE", "Cannot answer: too much");
      const counts: number[] = [];
      const checkAnswer: ModelRequest["checkAnswer"] = ({ labels, hiddenSize }) => {
        counts.push(labels.length);
        assert.ok(hiddenSize > 0);
        throw refusal;
      };
      await assert.rejects(ask(labelsQuestion, { checkAnswer }), refusal);
      const base = { model: exam.names.base, checkAnswer };
      await assert.rejects(ask(embeddingsQuestion, base), refusal);
      assert.deepEqual(counts, [2, 0]);
    });
  });
}
