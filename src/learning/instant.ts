/**
 * The instant head: closed form on the base's features. Everything about it is chosen on
 * the training side alone, so that its figure on dev is one of texts that it has never seen.
 */
import { lowestOf } from "../datasets/content-digests.ts";
import type { Pooling } from "../entities/base-model.ts";
import { present } from "../foundation/assert.ts";
import { shortDigestCount } from "../foundation/digest.ts";
import { Pace } from "../foundation/pace.ts";
import { float32Result, type Program, withProgram } from "../runtime/runtime.ts";
import type { Answer, TaskKind } from "../tasks/tasks.ts";
import { poolingOf } from "./answers.ts";
import { type Head, rowWeights, type Weighting } from "./ridge.ts";
import {
  type Batch,
  type ContentSequences,
  evaluationShape,
  picked,
  sortedBatches,
  type Source,
  sourceFeeds,
} from "./sequences.ts";
import type { TrainingBase } from "./training-base.ts";

export interface InstantHead {
  readonly head: Head;
  /** The answer to each sequence of dev. */
  readonly devAnswers: readonly Answer[];
}

/** An instant head is to be there within seconds, however much data there is. */
const trainTokensMax = 200_000;

export interface InstantTask {
  readonly kind: TaskKind;
  readonly train: ContentSequences;
  readonly dev: Source;
  readonly labelCount: number;
  readonly pooling: Pooling;
}

export async function fitInstantHead(
  base: TrainingBase,
  task: InstantTask,
  signal?: AbortSignal,
): Promise<InstantHead> {
  const { kind, dev, labelCount, pooling } = task;
  const limit = { countMax: Infinity, tokensMax: trainTokensMax };
  const pace = new Pace(signal);
  const train = await picked(task.train, await lowestOf(task.train, limit, pace), pace);
  const { tokens, classes, digests } = await learnedRows(kind, { train, labelCount }, pace);
  const features = await featuresOf(base, { kind, pooling, source: train, tokens, signal });
  const devTokens = dev.ids.map((_, index) => dev.firsts?.[index] ?? wholeSequence);
  const question = { kind, pooling, source: dev, tokens: devTokens, signal };
  const asked = await featuresOf(base, question);
  const width = base.checkpoint.config.hiddenSize + 1;
  const outputCount = kind.outputCount(labelCount);
  const weightings: Weighting[] = [];
  await withProgram(base.loadGram(), async (program) => {
    for (const isBalanced of [true, false]) {
      const weights = rowWeights(classes, { labelCount: outputCount, isBalanced });
      weightings.push({ weights, gram: await gramOf(program, { features, width, weights }) });
    }
  });
  const rows = { features, labels: classes, digests, asked };
  const problem = { ...rows, width, labelCount: outputCount, weightings };
  const { head, answers } = await base.solve(problem, signal);
  return { head, devAnswers: answersOfRows(kind, { dev, tokens: devTokens, answers, labelCount }) };
}

/** The one place of a task that gives a sequence one vector. */
const wholeSequence = Int32Array.of(0);

interface LearnedRows {
  /** The places of each sequence that are learned. */
  readonly tokens: readonly Int32Array[];
  /** The output that is right, for each place of each sequence. */
  readonly classes: Int32Array;
  /** The digest of each place; those of copies are equal. */
  readonly digests: Float64Array;
}

async function learnedRows(
  kind: TaskKind,
  { train, labelCount }: { readonly train: ContentSequences; readonly labelCount: number },
  pace: Pace,
): Promise<LearnedRows> {
  const tokens: Int32Array[] = [];
  const classes: number[] = [];
  const digests: number[] = [];
  await pace.each(train.ids.length, (index) => {
    const answer = present(train.answers[index], "an answer to each sequence");
    const own = kind.classesOf(answer, { labelCount, firsts: train.firsts?.[index] });
    tokens.push(own.tokens);
    for (const output of own.classes) classes.push(output);
    for (const token of own.tokens) digests.push(placeDigest(train.digests[index] ?? 0, token));
  });
  return { tokens, classes: Int32Array.from(classes), digests: Float64Array.from(digests) };
}

/**
 * The digest of a place in a content: the content's own for the first, others by chance, but alike.
 */
function placeDigest(content: number, token: number): number {
  const share = (token * 0.618_033_988_749_895) % 1;
  return Math.floor(content + share * shortDigestCount) % shortDigestCount;
}

/** What a head answers to dev by its output at each place that was asked. */
function answersOfRows(
  kind: TaskKind,
  given: {
    readonly dev: Source;
    readonly tokens: readonly Int32Array[];
    readonly answers: Int32Array;
    readonly labelCount: number;
  },
): readonly Answer[] {
  const { dev, tokens, answers, labelCount } = given;
  const outputCount = kind.outputCount(labelCount);
  let row = 0;
  return tokens.map((places, index) => {
    const length = kind.graph.unit === "sequence" ? 1 : (dev.ids[index]?.length ?? 0);
    const scores = new Float32Array(length * outputCount);
    for (const place of places) {
      scores[place * outputCount + (answers[row] ?? 0)] = 1;
      row += 1;
    }
    return kind.answerOf(scores, { labelCount, firsts: dev.firsts?.[index] });
  });
}

/** The base's vector of each place of each sequence, in their order, and the constant 1. */
async function featuresOf(
  base: TrainingBase,
  asked: {
    readonly kind: TaskKind;
    readonly pooling: Pooling;
    readonly source: Source;
    readonly tokens: readonly Int32Array[];
    readonly signal: AbortSignal | undefined;
  },
): Promise<Float32Array> {
  const { kind, source, tokens, signal } = asked;
  const { hiddenSize } = base.checkpoint.config;
  const width = hiddenSize + 1;
  const pooling = poolingOf(kind, asked.pooling);
  const starts: number[] = [];
  let rowCount = 0;
  for (const { length } of tokens) {
    starts.push(rowCount);
    rowCount += length;
  }
  const features = new Float32Array(rowCount * width).fill(1);
  const keep = (batch: Batch, rows: Float32Array): void => {
    const size = rows.length / batch.length;
    for (const [position, index] of batch.entries())
      for (const [place, token] of present(tokens[index], "places of each sequence").entries()) {
        const start = position * size + token * hiddenSize;
        const row = (starts[index] ?? 0) + place;
        features.set(rows.subarray(start, start + hiddenSize), row * width);
      }
  };
  const from = source.states === undefined ? "ids" : "states";
  await base.withFeatures({ source: from, unit: kind.graph.unit }, async (program) => {
    for (const batch of sortedBatches(source.ids, evaluationShape)) {
      signal?.throwIfAborted();
      const feeds = sourceFeeds(source, batch, { pooling, hiddenSize });
      keep(batch, float32Result(await program.run(feeds), "features").values);
    }
  });
  return features;
}

/** Xᵀ D X. The runtime takes the features' buffer over, and the caller keeps its own. */
async function gramOf(
  program: Program,
  options: {
    readonly features: Float32Array;
    readonly width: number;
    readonly weights: Float32Array;
  },
): Promise<Float32Array> {
  const { features, width, weights } = options;
  const count = weights.length;
  const results = await program.run({
    features: { kind: "value", type: "float32", shape: [count, width], values: features.slice() },
    weights: { kind: "value", type: "float32", shape: [count], values: weights.slice() },
  });
  return float32Result(results, "gram").values;
}
