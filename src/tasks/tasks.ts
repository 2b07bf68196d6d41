/**
 * `TaskKind`: everything in which one kind of task differs from another: what a head gives, how
 * an example is learned from, what its scores answer, and how answers are judged. Loops, jobs,
 * versions and lanes know no more of a task than this. Every kind sits the exam of
 * `conformance.ts`.
 */
import type { Example } from "../datasets/datasets.ts";
import type { ExampleForm } from "../datasets/example-form.ts";
import type { Interval, RatioPart } from "../datasets/metrics.ts";
import type { RawText } from "../datasets/readers/rows.ts";
import type { Hyperparameters } from "../entities/job.ts";
import type { TaskName } from "../foundation/kind-names.ts";
import type { Words } from "../entities/words.ts";
import type { TaskGraph, TaskUnit } from "../models/task-graph.ts";

/**
 * What it is right to answer to a sequence, or what a model answers, in numbers that only the kind
 * of task can read. Those of equal answers are equal.
 */
export type Answer = Int32Array;

export interface TaskKind<E extends Example = Example, Unit extends TaskUnit = TaskUnit> {
  readonly name: TaskName;
  /** The HTTP route of its models, which is told to those who have called them by another one. */
  readonly route: string;
  /** What its models are asked for, as in "Cannot <asked> with <model>". */
  readonly asked: string;
  /** What the rows of a file become examples of this kind by. */
  readonly form: ExampleForm<RawText, E>;
  /** Its loss, and what gets scores: on the lane of that unit its models answer. */
  readonly graph: TaskGraph<Unit>;
  /** Whether answers concern the words of a text, so that encoding has to tell where they are. */
  readonly hasWords: boolean;
  /** How its score, and what is compared by it, is told. */
  readonly score: ScoreWords;
  /** What "auto" stands for where it is another value than for texts. */
  readonly hyperparameters: Partial<Pick<Hyperparameters, "learningRate" | "batchSize">>;
  /** Outputs of a head over so many labels. */
  outputCount(labelCount: number): number;
  /** What it is right to answer to an encoded example; its labels are numbered. */
  expected(example: E, encoded: EncodedExample): Expected;
  /** What is said, behind their count, of such parts of `file` as `lostCount` counts. */
  lostRemark(file: string): string;
  /** The labels that occur in an answer, ascending, each once. */
  labelsIn(answer: Answer): readonly number[];
  /** What is learned of a sequence: tokens of it, and the output that is right for each. */
  classesOf(answer: Answer, sequence: SequenceParts): Classes;
  /** The answer that scores, or probabilities, mean: `[outputs]`, or `[tokens, outputs]`. */
  answerOf(scores: Float32Array, sequence: SequenceParts): Answer;
  /** The one judgement of a text, by which epochs are chosen, figures told, versions compared. */
  judged(expected: Answer, given: Answer): Judged;
  /** The score of all that was judged, which is at least one case, with its interval at 95 %. */
  interval(judged: readonly Judged[]): Interval;
  /** An answer in words that mean the same for every version of a model. */
  spelled(answer: Answer, labels: readonly string[]): string;
  /** The answer that `spelled` has written, its labels numbered by the caller. */
  parsed(spelled: string, numberOf: (label: string) => number): Answer;
}

export interface ScoreWords {
  /** How people call it, for example `accuracy`. */
  readonly name: string;
  /** The name of a version's figure, for example `devAccuracy`. */
  readonly figure: string;
  /** The name of the served version's score on the texts compared. */
  readonly baseline: string;
  /** Its name in events of jobs, for example `accuracy`. */
  readonly event: string;
  /** What stands in sentences behind a percentage, of so many held-out texts. */
  said(textCount: number): string;
  /** The figures of a comparison of one text or more, as a part of a sentence. */
  compared(comparison: Comparison): string;
  /** What is said of texts to which the data of two versions expect different answers. */
  readonly disputed: string;
}

/** The served version and a newer one, judged by the same texts. */
export interface Comparison extends ScoredTexts {
  /** Texts that decide: the data of both versions expect the same of them. */
  readonly count: number;
  /** The other texts, which are in no other number here. */
  readonly disputedCount: number;
  /**
   * Whether the newer version says nothing to all of them, though there is something to say, and
   * the served one says something.
   */
  readonly isSilent: boolean;
  /** The texts, of those that decide, with labels that the newer version's data lack. */
  readonly untaught: ScoredTexts;
  /** The texts, of those that decide, whose labels the served version has all. */
  readonly familiar: ScoredTexts;
}

/** How well both versions do on some texts; the scores, in [0, 1], are 0 when there are none. */
export interface ScoredTexts {
  readonly count: number;
  readonly servedScore: number;
  readonly newerScore: number;
  /** Texts in which the newer version makes fewer errors than the served one, or more. */
  readonly fewerCount: number;
  readonly moreCount: number;
  /** Their difference as a share of all the texts, at 90 %. */
  readonly difference: Interval;
}

/** What encoding has found of an example. */
export interface EncodedExample {
  /** It is given where the kind has words. */
  readonly words: Words | undefined;
  readonly indexByLabel: ReadonlyMap<string, number>;
}

export interface Expected {
  readonly answer: Answer;
  /** Parts of the example that no answer can express, for example entities within one word. */
  readonly lostCount: number;
}

/** What is known of a sequence where it is learned from or answered. */
export interface SequenceParts {
  readonly labelCount: number;
  /** The first token of each word, where the kind has words. */
  readonly firsts: Int32Array | undefined;
}

export interface Classes {
  /** Places in the sequence; 0 where the sequence as a whole is meant. */
  readonly tokens: Int32Array;
  /** The class of each, in 0 … outputs - 1. */
  readonly classes: Int32Array;
}

/** All add up over sequences: the score is the sum of the rights over that of the counts. */
export interface Judged extends RatioPart {
  /** What the answer says, in parts that are judged: 0 for one that finds nothing. */
  readonly saidCount: number;
}

/** Errors in a text: one for a wrong label, and one for each entity that is missed or made up. */
export function errorCount({ right, count }: RatioPart): number {
  return count - right;
}

/** The score in [0, 1]; 0 where nothing is counted. */
export function scoreOf(judged: Iterable<RatioPart>): number {
  let [right, count] = [0, 0];
  for (const one of judged) {
    right += one.right;
    count += one.count;
  }
  return count === 0 ? 0 : right / count;
}
