/**
 * The exam of every kind of task: what holds of answers, classes, judgements and losses whatever
 * is asked. A kind brings examples; what their answers are it says by hand.
 */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import type { Example } from "../datasets/datasets.ts";
import type { Words } from "../entities/words.ts";
import { toDense } from "../runtime/reference/dense.ts";
import { evaluateGraph } from "../runtime/reference/evaluate.ts";
import { Graph } from "../tensor/tensor.ts";
import { targetsOf } from "./targets.ts";
import { type Answer, errorCount, type SequenceParts, type TaskKind } from "./tasks.ts";

export interface ExamExample<E extends Example = Example> {
  readonly example: E;
  readonly words: Words | undefined;
  /** Tokens of the sequence, special ones included. */
  readonly tokenCount: number;
  readonly answer: readonly number[];
  readonly lostCount: number;
  readonly spelled: string;
}

export interface Examined<E extends Example> {
  readonly labels: readonly string[];
  readonly examples: readonly ExamExample<E>[];
}

export function examineTask<E extends Example>(
  kind: TaskKind<E>,
  { labels, examples }: Examined<E>,
): void {
  const numbered = (names: readonly string[]): ReadonlyMap<string, number> =>
    new Map(names.map((name, index) => [name, index]));
  const partsOf = ({ words }: ExamExample, labelCount = labels.length): SequenceParts => ({
    labelCount,
    firsts: words?.tokens,
  });
  const expectedOf = ({ example, words }: ExamExample<E>, names = labels) =>
    kind.expected(example, { words, indexByLabel: numbered(names) });
  /** Scores that are high where the classes of an answer are. */
  const scoresOf = (answer: Answer, one: ExamExample, labelCount = labels.length) => {
    const lesson = { answer, firsts: one.words?.tokens };
    const sequence = one.tokenCount;
    const { targets } = targetsOf(kind, [lesson], { labelCount, sequence });
    return targets.map((target) => (target === 1 ? 3 : 0.5));
  };
  const answers = examples.map((one) => expectedOf(one).answer);

  describe(`the task ${kind.name}`, () => {
    it("expects of each example the answer, and says what no answer expresses", () => {
      for (const one of examples) {
        const { answer, lostCount } = expectedOf(one);
        assert.deepEqual([...answer], one.answer, one.spelled);
        assert.equal(lostCount, one.lostCount, one.spelled);
        assert.equal(kind.spelled(answer, labels), one.spelled);
      }
    });

    it("has words of its own for messages", () => {
      assert.match(kind.asked, /^[a-z]/);
      assert.match(kind.lostRemark("FILE (lines 1, 2)"), /^[a-z].* FILE \(lines 1, 2\) .*[a-z]$/);
    });

    it("reads what it has spelled, whatever numbers the labels have then", () => {
      const turned = labels.toReversed();
      for (const [index, one] of examples.entries()) {
        const numberOf = (label: string): number => labels.indexOf(label);
        assert.deepEqual(kind.parsed(one.spelled, numberOf), answers[index]);
        const other = kind.parsed(one.spelled, (label) => turned.indexOf(label));
        assert.equal(kind.spelled(other, turned), one.spelled);
      }
    });

    it("answers by scores what their classes mean", () => {
      for (const [index, one] of examples.entries()) {
        const answer = answers[index] ?? new Int32Array();
        const given = kind.answerOf(scoresOf(answer, one), partsOf(one));
        // What was cut off cannot be answered.
        if (one.lostCount === 0) assert.deepEqual(given, answer);
        assert.deepEqual(kind.answerOf(scoresOf(given, one), partsOf(one)), given);
      }
    });

    it("says the same of an example however many labels come behind and in any order", () => {
      const grown = [...labels, "one more", "another"];
      const turned = labels.toReversed();
      for (const [index, one] of examples.entries()) {
        const answer = answers[index] ?? new Int32Array();
        const wide = partsOf(one, grown.length);
        assert.deepEqual(expectedOf(one, grown).answer, answer);
        assert.deepEqual(kind.classesOf(answer, wide), kind.classesOf(answer, partsOf(one)));
        const given = kind.answerOf(scoresOf(answer, one, grown.length), wide);
        if (one.lostCount === 0) assert.deepEqual(given, answer);
        assert.equal(kind.spelled(expectedOf(one, turned).answer, turned), one.spelled);
      }
    });

    it("numbers labels of an answer in order, each once, and classes within the outputs", () => {
      for (const [index, one] of examples.entries()) {
        const answer = answers[index] ?? new Int32Array();
        const found = kind.labelsIn(answer);
        assert.deepEqual(
          found,
          [...new Set(found)].toSorted((a, b) => a - b),
        );
        for (const label of found) assert.ok(label >= 0 && label < labels.length);
        const { tokens, classes } = kind.classesOf(answer, partsOf(one));
        assert.equal(tokens.length, classes.length);
        for (const output of classes)
          assert.ok(output >= 0 && output < kind.outputCount(labels.length));
      }
    });

    it("judges an answer right by itself alone, and scores within [0, 1]", () => {
      for (const [index, expected] of answers.entries())
        for (const [other, given] of answers.entries()) {
          const { right, count, saidCount } = kind.judged(expected, given);
          assert.ok(right >= 0 && right <= count);
          assert.equal(errorCount({ right, count }), kind.judged(given, expected).count - right);
          assert.equal(saidCount === 0, given.length === 0);
          const isSame = expected.join() === given.join();
          assert.equal(right === count, isSame, `${index} ${other}`);
          const spelled = [expected, given].map((answer) => kind.spelled(answer, labels));
          assert.equal(spelled[0] === spelled[1], isSame);
        }
    });

    it("has an interval around its score, wider for fewer texts", () => {
      const judged = answers.flatMap((expected) =>
        answers.map((given) => kind.judged(expected, given)),
      );
      const all = kind.interval(judged);
      const many = kind.interval([...judged, ...judged, ...judged]);
      assert.ok(all.low >= 0 && all.low <= all.mean && all.mean <= all.high && all.high <= 1);
      assert.ok(Math.abs(many.mean - all.mean) < 1e-12);
      assert.ok(many.high - many.low < all.high - all.low);
    });

    it("has a loss that is low where scores are right, and blind to rows without a class", () => {
      const lessons = examples.map((one, index) => ({
        answer: answers[index] ?? new Int32Array(),
        firsts: one.words?.tokens,
      }));
      const sequence = Math.max(...examples.map(({ tokenCount }) => tokenCount)) + 1;
      const built = targetsOf(kind, lessons, { labelCount: labels.length, sequence });
      const { targets, weights, rowCount, outputCount } = built;
      const graph = new Graph();
      const scores = graph.input("scores", "float32", ["rows", outputCount]);
      const loss = kind.graph.loss(graph, scores);
      const lossOf = (values: Float32Array): number => {
        const dense = (shape: readonly number[], own: Float32Array) =>
          toDense("float32", shape, own);
        const inputs = new Map([
          ["scores", dense([rowCount, outputCount], values)],
          ["targets", dense([rowCount, outputCount], targets)],
          ["exampleWeights", dense([rowCount], weights)],
        ]);
        const symbols = new Map([["rows", rowCount]]);
        const known = evaluateGraph(graph, { inputs, symbols, targets: [loss] });
        return known.get(loss)?.values[0] ?? NaN;
      };
      const right = targets.map((target) => 20 * target);
      assert.ok(lossOf(right) < 1e-6);
      assert.ok(lossOf(new Float32Array(targets.length)) > 100 * lossOf(right));
      fc.assert(
        fc.property(fc.nat(rowCount - 1), fc.float({ min: -9, max: 9, noNaN: true }), (row, x) => {
          const moved = right.slice();
          moved[row * outputCount] = (moved[row * outputCount] ?? 0) + x;
          const isBlind = weights[row] === 0;
          assert.ok(isBlind ? Math.abs(lossOf(moved) - lossOf(right)) < 1e-12 : lossOf(moved) >= 0);
        }),
      );
    });
  });
}
