/**
 * The general table of the hierarchy's benches: the n-grams of a corpus, a part of which is kept
 * out. A bench of accuracy computes only those rows that its texts ask for; the others would not be
 * read, so that the states are the same as with the whole table.
 */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { Tokenizer } from "../src/checkpoints/checkpoints.ts";
import type { HierarchicalBase } from "../src/checkpoints/hierarchy.ts";
import { chooseNgrams, NgramCounter } from "../src/knowledge/counting.ts";
import { KnowledgeTree } from "../src/knowledge/knowledge-tree.ts";
import { buildTable } from "../src/knowledge/lookup-table.ts";
import { loadNgramEncoder } from "../src/knowledge/ngram-encoder.ts";
import { type NgramMap, numberNgrams, packNgram } from "../src/knowledge/ngram-map.ts";
import { mergeGraph } from "../src/models/hierarchy.ts";
import type { Runtime } from "../src/runtime/runtime.ts";
import type { LookedUpSource } from "../src/trainer/looked-up-states.ts";

/** Texts of the corpus that are read; every twentieth is kept out and tells the hit rate. */
const lineCounts = { quick: 40_000, long: 1_000_000 };
const heldOutEvery = 20;
/** All n-grams that were seen: a million rows and more. */
const shares = { unigrams: 1, bigrams: 1, trigrams: 1 };
const textTokensMax = 128;

export interface CorpusNgrams {
  /** `[count, 3]`, what the general table holds. */
  readonly ngrams: Int32Array;
  readonly heldOut: readonly Int32Array[];
}

export interface CorpusOptions {
  readonly tokenizer: Tokenizer;
  readonly corpora: string;
  readonly isQuick: boolean;
}

export async function corpusNgrams(options: CorpusOptions): Promise<CorpusNgrams> {
  const count = options.isQuick ? lineCounts.quick : lineCounts.long;
  const texts = await readTexts(join(options.corpora, "general.txt"), options.tokenizer, count);
  const counter = new NgramCounter();
  for (const [index, text] of texts.entries()) if (index % heldOutEvery !== 0) counter.add(text);
  const heldOut = texts.filter((_, index) => index % heldOutEvery === 0);
  return { ngrams: chooseNgrams(counter, shares), heldOut };
}

export interface GeneralKnowledge {
  /** For look-ups of these texts, which back off. */
  sourceFor(ids: readonly Int32Array[]): Promise<LookedUpSource>;
}

export async function generalKnowledge(
  runtime: Runtime,
  options: CorpusOptions & { readonly hierarchical: HierarchicalBase },
): Promise<GeneralKnowledge> {
  const { config, weights } = options.hierarchical;
  const encoder = await loadNgramEncoder(runtime, { config, precision: "int8", weights });
  const graph = mergeGraph(config);
  const constants = new Map([...weights].filter(([name]) => graph.inputs.has(name)));
  const merge = await runtime.load(graph, { constants });
  const chosen = numberNgrams((await corpusNgrams(options)).ngrams);
  const shape = { precision: "fp16", hiddenSize: config.hiddenSize } as const;
  return {
    async sourceFor(ids) {
      const asked = new NgramCounter();
      for (const text of ids) asked.add(text);
      const ngrams = known(chooseNgrams(asked, shares), chosen);
      const table = await buildTable(ngrams, { shape, encoder });
      const knowledge = new KnowledgeTree([{ name: "general", parent: undefined, table }]);
      return { knowledge, domain: 0, merge };
    },
  };
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

/** Token ids of `count` lines at most, spread over the file, which has many sources. */
export async function readTexts(
  path: string,
  tokenizer: Tokenizer,
  count: number,
): Promise<readonly Int32Array[]> {
  const lines = readFileSync(path, "utf8").split("\n");
  const step = Math.max(1, lines.length / count);
  const chosen = Array.from({ length: Math.min(count, lines.length) }, (_, index) =>
    String(lines[Math.floor(index * step)]),
  );
  const texts: Int32Array[] = [];
  for (let first = 0; first < chosen.length; first += 2000) {
    const { ids } = await tokenizer.encode(chosen.slice(first, first + 2000));
    texts.push(...ids.map((text) => text.slice(0, textTokensMax)));
  }
  return texts.filter(({ length }) => length > 2);
}
