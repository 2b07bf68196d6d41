/**
 * Entities in a text. A head gives 1 + 2 · labels outputs for the first token of each word: that it
 * is outside of all entities, and for each label that it begins one, or is inside of one. An
 * answer is a list of spans of words: first word, word behind the last, label.
 */
import { CodePoints } from "../datasets/code-points.ts";
import type { Entity, MarkedText } from "../datasets/datasets.ts";
import { markedForm } from "../datasets/marked.ts";
import { ratioInterval } from "../datasets/metrics.ts";
import type { Words } from "../entities/words.ts";
import { present } from "../foundation/assert.ts";
import { tokenClasses } from "../models/task-graph.ts";
import { highest } from "./highest.ts";
import type { Answer, Classes, Expected, TaskKind } from "./tasks.ts";

/**
 * An entity that is more or less than its words cannot be answered as it was marked, though it
 * tells what its words are: it is learned, and no answer is right for it. Its end is negated.
 */
function inPart({ start, end, label }: LabelledSpan): LabelledSpan {
  return { start, end: -end, label };
}

/** The output of a word that is part of no entity. */
const outside = 0;

export const tokenClassification: TaskKind<MarkedText, "token"> = {
  name: "token-classification",
  route: "POST /v1/classify-tokens",
  asked: "find entities",
  form: markedForm,
  graph: tokenClasses,
  hasWords: true,
  score: {
    name: "F1",
    figure: "devF1",
    baseline: "baselineDevF1",
    event: "f1",
    said: (count) => `F1 over the entities of ${count} held-out texts`,
    compared: ({ servedScore, newerScore, fewerCount, moreCount }) =>
      `F1 ${(100 * newerScore).toFixed(1)} % against ${(100 * servedScore).toFixed(1)} %, ` +
      `fewer errors in ${fewerCount} of them, more in ${moreCount}`,
    disputed: "which have other entities than before",
  },
  // As found on biomedical and scientific entities: words need larger steps, and more of them.
  hyperparameters: { learningRate: 4e-3, batchSize: 8 },
  outputCount: (labelCount) => 1 + 2 * labelCount,
  expected(example, { words, indexByLabel }) {
    const labelled = example.entities.map(({ label, ...place }) => ({
      ...place,
      label: present(indexByLabel.get(label), "a label of the model"),
    }));
    const places = new CodePoints(example.text);
    return answerOfEntities(labelled, present(words, "the words of the text"), places);
  },
  lostRemark: (file) =>
    `entities of ${file} are cut off, or begin or end within a word: ` +
    "the words that they touch are learned as a whole",
  labelsIn: (answer) => [...new Set(spansIn(answer).map(({ label }) => label))].toSorted(ascending),
  classesOf: (answer, { firsts }) => classesOf(answer, present(firsts, "the words of a text")),
  answerOf(scores, { labelCount, firsts }) {
    const outputs = highest(scores, 1 + 2 * labelCount);
    const words = present(firsts, "the words of a text").map((first) => outputs[first] ?? outside);
    return answerOfSpans(spansOfOutputs(words));
  },
  judged(expected, given) {
    const keyOf = ({ start, end, label }: LabelledSpan): string => `${start} ${end} ${label}`;
    const wanted = new Set(spansIn(expected).map(keyOf));
    const found = spansIn(given).map(keyOf);
    const rightCount = found.filter((key) => wanted.has(key)).length;
    const count = wanted.size + found.length;
    return { right: 2 * rightCount, count, saidCount: found.length };
  },
  interval: (judged) => ratioInterval(judged),
  spelled: (answer, labels) =>
    spansIn(answer)
      .map(({ start, end, label }) => `${start}-${end} ${labels[label] ?? ""}`)
      .join("; "),
  parsed(spelled, numberOf) {
    const spans = spelled.split(spanBreak).flatMap((words) => {
      const [, start, end, label] = /^(\d+)-(-?\d+) ([^]*)$/.exec(words) ?? [];
      if (label === undefined) return [];
      return [{ start: Number(start), end: Number(end), label: numberOf(label) }];
    });
    return answerOfSpans(spans);
  },
};

/** A label may hold a semicolon, but hardly a place behind it. */
const spanBreak = /; (?=\d+--?\d+ )/;

/** Words from `start` to before `end` are one entity with this label. */
export interface LabelledSpan {
  readonly start: number;
  readonly end: number;
  readonly label: number;
}

/**
 * The spans that the outputs of a text's words mean: one that begins an entity begins a span, one
 * inside goes on with the span before it if that has its label, and begins one else.
 */
export function spansOfOutputs(outputs: Int32Array): readonly LabelledSpan[] {
  const spans: LabelledSpan[] = [];
  for (const [word, output] of outputs.entries()) {
    if (output === outside) continue;
    const label = labelOf(output);
    const isBegin = output % 2 === 1;
    const last = spans.at(-1);
    if (!isBegin && last?.end === word && last.label === label)
      spans[spans.length - 1] = { ...last, end: word + 1 };
    else spans.push({ start: word, end: word + 1, label });
  }
  return spans;
}

/** An entity that a model has found in a text. */
export interface FoundEntity extends Entity {
  /** The mean over its words, in [0, 1], of the probability that the word has its label. */
  readonly score: number;
  /** The text from `start` to `end`. */
  readonly word: string;
}

/** What a head says of each token of a sequence. */
export interface TokenOutputs {
  /** The output with the highest probability. */
  readonly outputs: Int32Array;
  /** The probability of that output's label, beginning or inside; 0 outside of all entities. */
  readonly beliefs: Float32Array;
}

/** The parts of `probabilities [tokens, outputs]`. */
export function tokenOutputs(probabilities: Float32Array, outputCount: number): TokenOutputs {
  const outputs = highest(probabilities, outputCount);
  const beliefs = new Float32Array(outputs.length);
  for (const [token, output] of outputs.entries()) {
    if (output === outside) continue;
    const begin = token * outputCount + 1 + 2 * labelOf(output);
    beliefs[token] = Math.min(1, (probabilities[begin] ?? 0) + (probabilities[begin + 1] ?? 0));
  }
  return { outputs, beliefs };
}

/** A text whose tokens are answered. */
export interface AnsweredText extends TokenOutputs {
  readonly text: string;
  readonly words: Words;
  readonly labels: readonly string[];
}

/**
 * What the outputs of a text's tokens mean, in order of their places, which count code points of
 * the text. An entity ends behind the marks of its last character.
 */
export function entitiesFound(answered: AnsweredText): readonly FoundEntity[] {
  const { text, words, labels, outputs, beliefs } = answered;
  const spans = spansOfOutputs(words.tokens.map((token) => outputs[token] ?? outside));
  if (spans.length === 0) return [];
  const places = new CodePoints(text);
  return spans.map(({ start, end, label }) => {
    const from = words.starts[start] ?? 0;
    const until = places.afterMarks(words.ends[end - 1] ?? 0);
    const own = words.tokens.subarray(start, end);
    const sum = own.reduce((total, token) => total + (beliefs[token] ?? 0), 0);
    return {
      start: from,
      end: until,
      label: present(labels[label], "a label of the version"),
      score: sum / own.length,
      word: places.slice(from, until),
    };
  });
}

/** The label of an output that is not outside. */
function labelOf(output: number): number {
  return (output - 1) >> 1;
}

/**
 * Entities, in code points and in order, as spans of the words that they touch. One that touches
 * no word of its own, because it was cut off or shares its word with the one before, is lost: it
 * stands behind the last word, where no answer can find it, so that it counts as missed.
 */
function answerOfEntities(
  entities: readonly LabelledSpan[],
  { starts, ends }: Words,
  places: CodePoints,
): Expected {
  const spans: LabelledSpan[] = [];
  const missed: LabelledSpan[] = [];
  const startOf = (word: number): number => starts[word] ?? Infinity;
  const endOf = (word: number): number => ends[word] ?? Infinity;
  let lostCount = 0;
  let word = 0;
  for (const { start, end, label } of entities) {
    while (endOf(word) <= start) word += 1;
    const first = word;
    while (startOf(word) < end) word += 1;
    const place = starts.length + missed.length;
    const own = places.slice(start, places.afterMarks(end)).trim();
    const isWhole =
      first < word && own === places.slice(startOf(first), places.afterMarks(endOf(word - 1)));
    const span = { start: first, end: word, label };
    if (first < word) spans.push(isWhole ? span : inPart(span));
    else missed.push({ start: place, end: place + 1, label });
    if (!isWhole) lostCount += 1;
  }
  return { answer: answerOfSpans([...spans, ...missed]), lostCount };
}

function classesOf(answer: Answer, firsts: Int32Array): Classes {
  const classes = new Int32Array(firsts.length).fill(outside);
  for (const { start, end, label } of spansIn(answer)) {
    classes.fill(2 + 2 * label, start, Math.abs(end));
    classes[start] = 1 + 2 * label;
  }
  return { tokens: firsts, classes };
}

function answerOfSpans(spans: readonly LabelledSpan[]): Answer {
  return Int32Array.from(spans.flatMap(({ start, end, label }) => [start, end, label]));
}

function spansIn(answer: Answer): readonly LabelledSpan[] {
  const spans: LabelledSpan[] = [];
  for (let at = 0; at < answer.length; at += 3) {
    const [start = 0, end = 0, label = 0] = answer.subarray(at, at + 3);
    spans.push({ start, end, label });
  }
  return spans;
}

function ascending(a: number, b: number): number {
  return a - b;
}
