/**
 * Which epoch is taken. An epoch that was chosen for its score on some examples has a score there
 * that flatters it: the best of eight guessers guesses well. `CrossedAnswers` therefore answers
 * each example by the epoch that was chosen without it.
 */

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
    if (score > this.#best) this.#rise = this.#epoch;
    this.#best = score;
    return true;
  }

  get isOver(): boolean {
    return this.#epoch - this.#rise >= this.#patience;
  }
}

/** Parts of the examples; each is answered by the epoch that is best on all others. */
const foldCount = 5;

export class CrossedAnswers {
  /** Of each example; -1 before the first epoch. */
  readonly answers: Int32Array;
  readonly #expected: Int32Array;
  readonly #folds: readonly BestEpoch[];
  #epoch = 0;

  constructor(expected: Int32Array, patience: number) {
    this.#expected = expected;
    this.answers = new Int32Array(expected.length).fill(-1);
    this.#folds = Array.from({ length: foldCount }, () => new BestEpoch(patience));
  }

  /** Takes an epoch's answers to the examples. */
  add(answers: ArrayLike<number>): void {
    this.#epoch += 1;
    const expected = this.#expected;
    const rights = new Int32Array(foldCount);
    for (let index = 0; index < expected.length; index++)
      if (answers[index] === expected[index]) rights[index % foldCount]! += 1; // a fold
    const all = rights.reduce((sum, count) => sum + count, 0);
    for (const [fold, best] of this.#folds.entries()) {
      // Where nothing is left to choose by, the last epoch is taken.
      const hasOthers = expected.length > 1 || fold > 0;
      if (!best.add(hasOthers ? all - (rights[fold] ?? 0) : this.#epoch)) continue;
      for (let index = fold; index < expected.length; index += foldCount)
        this.answers[index] = answers[index] ?? -1;
    }
  }

  /** Whether no later epoch can change an answer. */
  get isOver(): boolean {
    return this.#folds.every(({ isOver }) => isOver);
  }
}
