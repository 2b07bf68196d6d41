/**
 * The tables of the hierarchy's benches: general knowledge, the n-grams of a corpus of which a part
 * is kept out, and a domain below it, the n-grams that are frequent in biomedical text. A bench of
 * accuracy computes only those rows that its texts ask for; the others would not be read, so that
 * the states are the same as with whole tables.
 */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { HierarchicalBase } from "../src/checkpoints/hierarchy.ts";
import type { Tokenizer } from "../src/formats/formats.ts";
import { permutation, SeededRandom } from "../src/foundation/random.ts";
import { chooseNgrams, NgramCounter } from "../src/knowledge/counting.ts";
import type { NgramEncoder } from "../src/knowledge/knowledge.ts";
import { type Domain, KnowledgeTree } from "../src/knowledge/knowledge-tree.ts";
import { buildTable, type LookupTable } from "../src/knowledge/lookup-table.ts";
import { loadNgramEncoder } from "../src/knowledge/ngram-encoder.ts";
import { type NgramMap, numberNgrams, packNgram } from "../src/knowledge/ngram-map.ts";
import type { RowShape } from "../src/knowledge/table-rows.ts";
import type { Program, Runtime } from "../src/runtime/runtime.ts";
import { loadMerge, type LookedUpSource } from "../src/distillation/looked-up-states.ts";
import { parentDistances, pruneTable } from "./prune.ts";

/** Every twentieth text is kept out and tells the hit rate. */
const heldOutEvery = 20;
/**
 * Shares of all occurrences in the corpus. A tri-gram that was seen once is rarely seen again, and
 * its bi-grams answer for it: half of the tri-grams' occurrences need a seventh of their rows.
 */
export const generalShares = { unigrams: 1, bigrams: 1, trigrams: 0.5 };
export const rowPrecision = "int8";
const textTokensMax = 128;
/** N-grams of the domain whose rows tell how far they are from their parents'. */
const sampleCount = 4096;

export interface CorpusNgrams {
  /** `[count, 3]`, what the general table holds. */
  readonly ngrams: Int32Array;
  readonly heldOut: readonly Int32Array[];
}

export interface CorpusOptions {
  readonly tokenizer: Tokenizer;
  readonly corpora: string;
}

/** Millions of rows. */
export async function corpusNgrams({ tokenizer, corpora }: CorpusOptions): Promise<CorpusNgrams> {
  const texts = await readTexts(join(corpora, "general.txt"), tokenizer);
  const counter = count(texts.filter((_, index) => index % heldOutEvery !== 0));
  counter.addVocabulary(tokenizer.vocabularySize);
  return {
    ngrams: chooseNgrams(counter, generalShares),
    heldOut: texts.filter((_, index) => index % heldOutEvery === 0),
  };
}

/** Which n-grams a domain keeps. */
export interface DomainRule {
  /** Share of all occurrences that the n-grams of each kind cover. */
  readonly alpha: number;
  /** The share that is pruned of the rows that the parent holds too, those nearest to it first. */
  readonly prunedShare: number;
}

export interface DomainTables {
  readonly general: LookupTable;
  readonly domain: LookupTable;
}

export class CorpusKnowledge {
  readonly #encoders: Readonly<Record<keyof DomainTables, NgramEncoder>>;
  readonly #merge: Program;
  readonly #shape: RowShape;
  /** The number of each n-gram. */
  readonly #general: NgramMap;
  readonly #domain: NgramCounter;

  private constructor(parts: {
    readonly encoders: Readonly<Record<keyof DomainTables, NgramEncoder>>;
    readonly merge: Program;
    readonly hiddenSize: number;
    readonly general: Int32Array;
    readonly domain: NgramCounter;
  }) {
    this.#encoders = parts.encoders;
    this.#merge = parts.merge;
    this.#shape = { precision: rowPrecision, hiddenSize: parts.hiddenSize };
    this.#general = numberNgrams(parts.general);
    this.#domain = parts.domain;
  }

  /** `bases` give the rows; states are merged by the general one's weights, for all domains. */
  static async open(
    runtime: Runtime,
    options: CorpusOptions & {
      readonly bases: Readonly<Record<keyof DomainTables, HierarchicalBase>>;
    },
  ): Promise<CorpusKnowledge> {
    const { bases, tokenizer, corpora } = options;
    const load = ({ config, weights }: HierarchicalBase): Promise<NgramEncoder> =>
      loadNgramEncoder(runtime, { config, precision: "int8", weights });
    return new CorpusKnowledge({
      encoders: { general: await load(bases.general), domain: await load(bases.domain) },
      merge: await loadMerge(runtime, bases.general),
      hiddenSize: bases.general.config.hiddenSize,
      general: (await corpusNgrams(options)).ngrams,
      domain: count(await readTexts(join(corpora, "biomedical.txt"), tokenizer)),
    });
  }

  get generalCount(): number {
    return this.#general.size;
  }

  /** `[count, 3]`, what the domain's table holds before it is pruned. */
  domainNgrams(alpha: number): Int32Array {
    return frequent(this.#domain, alpha);
  }

  /** Look-ups of these texts back off: in general knowledge, or in the domain's. */
  async sourceFor(ids: readonly Int32Array[], rule?: DomainRule): Promise<LookedUpSource> {
    const asked = frequent(count(ids), 1);
    const tree = (...domains: readonly Domain[]): LookedUpSource => ({
      knowledge: new KnowledgeTree(domains),
      domain: domains.length - 1,
      merge: this.#merge,
    });
    const root = { name: "general", parent: undefined, table: await this.#generalTable(asked) };
    if (rule === undefined) return tree(root);
    const kept = numberNgrams(this.domainNgrams(rule.alpha));
    const whole = await this.#table("domain", known(asked, kept));
    const table = pruneTable(whole, [root.table], await this.tolerance(rule));
    return tree(root, { name: "biomedical", parent: "general", table });
  }

  /** The distance up to which a row of the domain is pruned, from a sample of its n-grams. */
  async tolerance({ alpha, prunedShare }: DomainRule): Promise<number> {
    if (prunedShare === 0) return -1;
    const distances = await this.distances(alpha, sampleCount);
    const shared = distances.filter(Number.isFinite).sort();
    return shared[Math.floor(prunedShare * shared.length)] ?? -1;
  }

  /**
   * How far the rows of at most `countMax` of the domain's n-grams, chosen by chance, are from the
   * general ones; see `parentDistances`.
   */
  async distances(alpha: number, countMax = Infinity): Promise<Float64Array<ArrayBuffer>> {
    const ngrams = this.domainNgrams(alpha);
    const order = permutation(ngrams.length / 3, new SeededRandom(0));
    const chosen = [...order.subarray(0, Math.min(countMax, order.length))];
    const sample = Int32Array.from(
      chosen.flatMap((index) => [...ngrams.subarray(3 * index, 3 * index + 3)]),
    );
    const general = await this.#generalTable(sample);
    return parentDistances(await this.#table("domain", sample), [general]);
  }

  #generalTable(ngrams: Int32Array): Promise<LookupTable> {
    return this.#table("general", known(ngrams, this.#general));
  }

  #table(kind: keyof DomainTables, ngrams: Int32Array): Promise<LookupTable> {
    return buildTable(ngrams, { shape: this.#shape, encoder: this.#encoders[kind] });
  }
}

function count(texts: readonly Int32Array[]): NgramCounter {
  const counter = new NgramCounter();
  for (const text of texts) counter.add(text);
  return counter;
}

/** N-grams `[count, 3]` that cover this share of the occurrences, each kind by itself. */
function frequent(counter: NgramCounter, share: number): Int32Array {
  return chooseNgrams(counter, { unigrams: share, bigrams: share, trigrams: share });
}

function known(ngrams: Int32Array, chosen: NgramMap): Int32Array {
  const kept = new Int32Array(ngrams.length);
  let length = 0;
  for (let at = 0; at < ngrams.length; at += 3) {
    const { high, low } = packNgram(ngrams, at);
    if (chosen.get(high, low) === 0) continue;
    kept.set(ngrams.subarray(at, at + 3), length);
    length += 3;
  }
  return kept.slice(0, length);
}

/** Token ids of the lines, or of `countMax` of them spread over the file. */
export async function readTexts(
  path: string,
  tokenizer: Tokenizer,
  countMax = Infinity,
): Promise<readonly Int32Array[]> {
  const lines = readFileSync(path, "utf8").split("\n");
  const step = Math.max(1, lines.length / countMax);
  const chosen = Array.from({ length: Math.min(countMax, lines.length) }, (_, index) =>
    String(lines[Math.floor(index * step)]),
  );
  const texts: Int32Array[] = [];
  for (let first = 0; first < chosen.length; first += 2000) {
    const { ids } = await tokenizer.encode(chosen.slice(first, first + 2000));
    texts.push(...ids.map((text) => text.slice(0, textTokensMax)));
  }
  return texts.filter(({ length }) => length > 2);
}
