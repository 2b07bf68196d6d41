/**
 * Which epoch is taken. An epoch that was chosen for its score on some examples has a score there
 * that flatters it: the best of eight guessers guesses well. `CrossedAnswers` therefore answers
 * each example by the epoch that was chosen without it.
 */
import type { RatioPart } from "../datasets/metrics.ts";
import { present } from "../foundation/assert.ts";
import { scoreOf } from "../tasks/tasks.ts";

/** Follows one score over the epochs. */
export class BestEpoch {
  readonly #patience: number;
  #epoch = 0;
  #best = -Infinity;
  /** The epoch that raised the score last; equal ones take over but renew no hope. */
  #rise = 0;

  /** `patience`: epochs without a higher score after which it is over. */
  constructor(patience: number) {
    this.#patience = patience;
  }

  /**
   * Whether the next epoch, with this score, is the best so far: among equals the later one, which
   * has learned longer. Few examples have few scores, and the first to reach one may be luck.
   */
  add(score: number): boolean {
    if (this.isOver) return false;
    this.#epoch += 1;
    if (score < this.#best) return false;
    // While nothing is right, as F1 has it of the first epochs, it has not begun.
    if (score > this.#best || score === 0) this.#rise = this.#epoch;
    this.#best = score;
    return true;
  }

  get isOver(): boolean {
    return this.#epoch - this.#rise >= this.#patience;
  }
}

/** Parts of the examples; each is answered by the epoch that is best on all others. */
const foldCount = 5;

/** How an answer to an example is judged. */
type Judge<A> = (index: number, answer: A) => RatioPart;

export class CrossedAnswers<A> {
  /** The answer to each example; undefined before the first epoch. */
  readonly answers: (A | undefined)[];
  readonly #judge: Judge<A>;
  readonly #folds: readonly BestEpoch[];
  #epoch = 0;

  constructor(count: number, judge: Judge<A>, patience: number) {
    this.#judge = judge;
    this.answers = Array.from({ length: count });
    this.#folds = Array.from({ length: foldCount }, () => new BestEpoch(patience));
  }

  /** Takes an epoch's answers to the examples. */
  add(answers: readonly A[]): void {
    this.#epoch += 1;
    const sums = Array.from({ length: foldCount }, () => ({ right: 0, count: 0 }));
    for (const [index, answer] of answers.entries()) {
      const { right, count } = this.#judge(index, answer);
      const sum = present(sums[index % foldCount], "a fold");
      sum.right += right;
      sum.count += count;
    }
    for (const [fold, best] of this.#folds.entries()) {
      const others = sums.filter((_, other) => other !== fold);
      // Where nothing is left to choose by, the last epoch is taken.
      const hasOthers = answers.length > 1 || fold > 0;
      if (!best.add(hasOthers ? scoreOf(others) : this.#epoch)) continue;
      for (let index = fold; index < answers.length; index += foldCount)
        this.answers[index] = answers[index];
    }
  }

  /** Whether no later epoch can change an answer. */
  get isOver(): boolean {
    return this.#folds.every(({ isOver }) => isOver);
  }
}
