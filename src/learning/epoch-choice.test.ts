/** Checks which epoch is taken, and that nothing is answered by an epoch chosen for the answer. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { SeededRandom } from "../foundation/random.ts";
import { BestEpoch, CrossedAnswers } from "./epoch-choice.ts";

/** The epochs, counted from 1, that were the best so far, and when it was over. */
function follow(scores: readonly number[], patience: number) {
  const best = new BestEpoch(patience);
  const taken = scores.flatMap((score, index) => (best.add(score) ? [index + 1] : []));
  return { last: taken.at(-1), isOver: best.isOver };
}

describe("the best epoch", () => {
  it("has the highest score, and of equal ones is the last", () => {
    assert.deepEqual(follow([0.1, 0.5, 0.3, 0.5, 0.2], 9), { last: 4, isOver: false });
  });
  it("is not looked for longer than patience allows after the last rise", () => {
    assert.deepEqual(follow([0.1, 0.5, 0.5, 0.4], 3), { last: 3, isOver: false });
    assert.deepEqual(follow([0.1, 0.5, 0.5, 0.4, 0.4, 0.9], 3), { last: 3, isOver: true });
    assert.deepEqual(follow([0, 0, 0, 0, 0.2], 3), { last: 5, isOver: false });
  });
});

/** Crossed answers to examples that have one right number each. */
function crossedOf(expected: ArrayLike<number>, patience: number): CrossedAnswers<number> {
  const judge = (index: number, answer: number) => ({
    right: answer === expected[index] ? 1 : 0,
    count: 1,
  });
  return new CrossedAnswers(expected.length, judge, patience);
}

describe("crossed answers", () => {
  it("take each example's answer from the epoch that is best on the others", () => {
    // Fold 0 holds examples 0 and 5; the label of each is 1. Epoch 1 is right on examples 1 to 4
    // of six, epoch 2 on 0, 5 and 1: without fold 0 epoch 1 leads, without any other fold, too.
    const crossed = crossedOf(new Int32Array(6).fill(1), 4);
    crossed.add([0, 1, 1, 1, 1, 0]);
    crossed.add([1, 1, 0, 0, 0, 1]);
    assert.deepEqual(
      [...crossed.answers],
      [0, 1, 1, 1, 1, 0].map((first, index) => {
        // Without fold 2, both epochs have 3 right: the later one is taken, and so on for 3 and 4.
        return index >= 2 && index <= 4 ? 0 : first;
      }),
    );
    assert.equal(crossed.isOver, false);
  });

  it("are right half of the time where labels are coin flips, though the best epoch is not", () => {
    let [best, own] = [0, 0];
    const taskCount = 600;
    for (let task = 0; task < taskCount; task++) {
      const random = new SeededRandom(task);
      const flip = (): number => (random.uniform() < 0.5 ? 1 : 0);
      const expected = Int32Array.from({ length: 30 }, flip);
      const crossed = crossedOf(expected, 4);
      let highest = 0;
      let answers = Array.from(expected, flip);
      for (let epoch = 0; epoch < 8; epoch++) {
        // As epochs do, each keeps most of the answers of the one before.
        answers = answers.map((answer) => (random.uniform() < 0.2 ? flip() : answer));
        crossed.add(answers);
        const rightCount = answers.filter((answer, index) => answer === expected[index]).length;
        highest = Math.max(highest, rightCount / 30);
      }
      best += highest / taskCount;
      own +=
        crossed.answers.filter((answer, index) => answer === expected[index]).length /
        30 /
        taskCount;
    }
    assert.ok(best > 0.55, `the best epoch: ${best}`);
    assert.ok(Math.abs(own - 0.5) < 0.015, `crossed: ${own}`);
  });

  it("take the last epoch where there is nothing else to choose by", () => {
    const crossed = crossedOf(Int32Array.of(1), 2);
    for (const answer of [1, 1, 0, 0, 0]) crossed.add([answer]);
    assert.deepEqual([...crossed.answers], [0]);
    assert.equal(crossedOf(new Int32Array(), 2).answers.length, 0);
  });
});
