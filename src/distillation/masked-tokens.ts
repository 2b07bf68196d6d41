/**
 * Masked-language modelling as an objective of a hierarchical form that has been distilled: some
 * tokens of each text are masked, and a head tells the words. The bases are sentence encoders
 * without such a head, so that it is fitted first, on what the given weights make of the texts.
 * Source: Devlin et al. 2019, section 3.1.
 */
import type { Tokenizer } from "../formats/formats.ts";
import { elementCount } from "../foundation/element-count.ts";
import { present } from "../foundation/assert.ts";
import { StrataError } from "../foundation/errors.ts";
import { permutation, type Random, SeededRandom } from "../foundation/random.ts";
import {
  maskedTokensExam,
  maskedTokensStep,
  wordBias,
  wordHeadWeights,
} from "../models/masked-tokens-graph.ts";
import type { Program } from "../runtime/runtime.ts";
import type {
  DistillationOptions,
  DistillationTask,
  HierarchyObjective,
  WordScore,
} from "./distillation.ts";
import { ngramFeeds } from "./ngram-batch.ts";
import type { Feed } from "../learning/sequences.ts";

/** The words that are no text's own, by the tokenizer. */
export interface SpecialTokens {
  readonly maskId: number;
  /** Never masked; the mask is among them. */
  readonly ids: ReadonlySet<number>;
  readonly vocabularySize: number;
}

/** INVALID_ARGUMENT when the tokenizer knows no mask. */
export async function specialTokensOf(tokenizer: Tokenizer): Promise<SpecialTokens> {
  const { maskId, padId, vocabularySize } = tokenizer;
  if (maskId === undefined)
    throw new StrataError(
      "INVALID_ARGUMENT",
      "Cannot learn masked tokens: the base's tokenizer has no token that hides a word",
      { field: "objective" },
    );
  // What stands around every text, as around none.
  const [around = new Int32Array()] = (await tokenizer.encode([""])).ids;
  return { maskId, ids: new Set([padId, maskId, ...around]), vocabularySize };
}

/** The share of the steps in which the head learns alone. */
const headShare = 0.2;
const maskedShare = 0.15;
/** Shares of the masked tokens; the rest keep their word. */
const [hiddenShare, randomShare] = [0.8, 0.1];

export function maskedTokens(
  { config, train }: DistillationTask,
  { stepCount, seed }: DistillationOptions,
  special: SpecialTokens,
): HierarchyObjective {
  const headStepCount = Math.ceil(headShare * stepCount);
  const head = wordHeadWeights(config);
  return {
    phases: [
      { graph: maskedTokensStep(config, { learnsNgrams: false }), stepCount: headStepCount },
      {
        graph: maskedTokensStep(config, { learnsNgrams: true }),
        stepCount: stepCount - headStepCount,
      },
    ],
    // Every tri-gram is computed: what a table lacks would tell which words are masked.
    feeds: (texts, { random }) => maskedFeeds(texts, { special, random }),
    initialValue(name, shape) {
      const values = new Float32Array(elementCount(shape));
      if (name === wordBias) return wordChances(train, special, values);
      const role = head.get(name)?.role;
      if (role === "gain") return values.fill(1);
      if (role !== "matrix") return values;
      const random = new SeededRandom(seed);
      return values.map(() => random.normal() / Math.sqrt(config.hiddenSize));
    },
    exam: {
      graph: maskedTokensExam(config),
      judge: (program, batches) => judge(program, batches, special),
    },
  };
}

/** Logarithm of each word's share of what may be masked: all that is known without a context. */
function wordChances(
  texts: readonly Int32Array[],
  { ids }: SpecialTokens,
  chances: Float32Array,
): Float32Array {
  const counts = chances.map(() => 1);
  for (const text of texts)
    for (const word of text) if (!ids.has(word)) counts[word] = (counts[word] ?? 0) + 1;
  const total = counts.reduce((a, b) => a + b, 0);
  return counts.map((count) => Math.log(count / total));
}

/** The masks of a batch are drawn from its number alone, so that every look sees the same. */
async function judge(
  program: Program,
  batches: readonly (readonly Int32Array[])[],
  special: SpecialTokens,
): Promise<WordScore> {
  const sums = { losses: 0, hits: 0 };
  let count = 0;
  for (const [number, texts] of batches.entries()) {
    const random = new SeededRandom(0, number);
    const results = await program.run(maskedFeeds(texts, { special, random }));
    for (const key of ["losses", "hits"] as const) {
      const { values } = present(results[key], "an output of the graph");
      for (const value of values) sums[key] += Number(value);
      if (key === "hits") count += values.length;
    }
  }
  return { loss: sums.losses / count, accuracy: sums.hits / count };
}

interface MaskOptions {
  readonly special: SpecialTokens;
  readonly random: Random;
}

/** What `maskedTokensStep` reads of a batch; one token at least is masked. */
export function maskedFeeds(texts: readonly Int32Array[], { special, random }: MaskOptions): Feed {
  const { maskId, ids: specialIds, vocabularySize } = special;
  const sequence = texts.reduce((longest, { length }) => Math.max(longest, length), 1);
  const seen = texts.map((text) => text.slice());
  const places = texts.flatMap((text, row) =>
    [...text.entries()]
      .filter(([, word]) => !specialIds.has(word))
      .map(([place]) => ({ row, place })),
  );
  const count = Math.max(1, Math.round(maskedShare * places.length));
  const chosen = [...permutation(places.length, random).subarray(0, count)].sort((a, b) => a - b);
  const targets: bigint[] = [];
  const rows = chosen.map((index) => {
    const { row, place } = present(places[index], "a permutation of the places");
    const text = present(seen[row], "a row of the batch");
    targets.push(BigInt(text[place] ?? 0));
    const draw = random.uniform();
    if (draw < hiddenShare) text[place] = maskId;
    // The id 0 is what lies outside a text.
    else if (draw < hiddenShare + randomShare) text[place] = 1 + random.integer(vocabularySize - 1);
    return row * sequence + place;
  });
  const { lengths, ngrams, indices } = ngramFeeds(seen);
  const shape = [rows.length];
  return {
    lengths: present(lengths, "a feed of every batch"),
    ngrams: present(ngrams, "a feed of every batch"),
    indices: present(indices, "a feed of every batch"),
    rows: { kind: "value", type: "int32", shape, values: Int32Array.from(rows) },
    targets: { kind: "value", type: "int64", shape, values: BigInt64Array.from(targets) },
  };
}
