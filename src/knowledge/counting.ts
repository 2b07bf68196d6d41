/**
 * Which n-grams are worth a row: counts over a text that streams by, and the frequency rule. Word
 * frequencies fall off so fast that a small share of all n-grams covers most of a text.
 */
import { highLane, lowLane, NgramMap, packNgram, unpackNgram } from "./ngram-map.ts";

/** Counts of what a look-up may ask for, each kind by itself. */
export class NgramCounter {
  /** (left, middle, right) of every position, with 0 outside its sequence. */
  readonly trigrams = new NgramMap();
  /** (0, middle, right) of every position but the last, (left, middle, 0) of all but the first. */
  readonly bigrams = new NgramMap();
  /** (0, middle, 0) of every position. */
  readonly unigrams = new NgramMap();

  /** Counts every word but the pad once, so that a table of all uni-grams answers any look-up. */
  addVocabulary(size: number): void {
    for (let word = 1; word < size; word++)
      this.unigrams.increment(highLane(0, word), lowLane(word, 0));
  }

  /** Counts the n-grams of one sequence. */
  add(ids: Int32Array): void {
    let left = 0;
    let middle = ids[0] ?? 0;
    for (let at = 0; at < ids.length; at++) {
      const right = ids[at + 1] ?? 0;
      const low = lowLane(middle, right);
      this.trigrams.increment(highLane(left, middle), low);
      if (right !== 0) this.bigrams.increment(highLane(0, middle), low);
      if (left !== 0) this.bigrams.increment(highLane(left, middle), lowLane(middle, 0));
      this.unigrams.increment(highLane(0, middle), lowLane(middle, 0));
      left = middle;
      middle = right;
    }
  }
}

/** Which share of all occurrences, in [0, 1], the chosen n-grams of each kind may cover. */
export interface Shares {
  readonly trigrams: number;
  readonly bigrams: number;
  readonly unigrams: number;
}

/**
 * The n-grams to make a table of, `[count, 3]`, each once: uni-grams first, then bi-grams, then
 * tri-grams.
 */
export function chooseNgrams(counter: NgramCounter, shares: Shares): Int32Array {
  const kinds = [
    frequentNgrams(counter.unigrams, shares.unigrams),
    frequentNgrams(counter.bigrams, shares.bigrams),
    frequentNgrams(counter.trigrams, shares.trigrams),
  ];
  const ngrams = new Int32Array(kinds.reduce((length, kind) => length + kind.length, 0));
  // The bi-gram (0, b, c) is also the tri-gram of a sequence that begins with b, c, and (a, b, 0)
  // of one that ends so.
  const known = new NgramMap(ngrams.length / 3);
  for (const kind of kinds)
    for (let at = 0; at < kind.length; at += 3) {
      const key = packNgram(kind, at);
      if (known.get(key.high, key.low) !== 0) continue;
      unpackNgram(key, ngrams, known.size * 3);
      known.set(key.high, key.low, 1);
    }
  return ngrams.slice(0, known.size * 3);
}

/**
 * The frequency rule: in descending order of counts, the longest prefix that covers at most
 * `share` of all occurrences, as n-grams `[count, 3]`. Equal counts are ordered by n-gram, so that
 * the result does not depend on the order of the text. Source: HMI's frequency analysis, where the
 * share is called alpha.
 */
export function frequentNgrams(counts: NgramMap, share: number): Int32Array {
  const { places, prefixLength } = rankCounts(counts, share);
  const ngrams = new Int32Array(prefixLength * 3);
  const keys = sortedKeys(counts);
  for (let at = 0; at < keys.length; at += 2) {
    const [low, high] = [keys[at] ?? 0, keys[at + 1] ?? 0];
    const count = counts.get(high, low);
    const place = places.get(count);
    if (place === undefined || place === prefixLength) continue;
    unpackNgram({ high, low }, ngrams, place * 3);
    places.set(count, place + 1);
  }
  return ngrams;
}

/** The place of the first n-gram with each count that the prefix reaches. */
function rankCounts(
  counts: NgramMap,
  share: number,
): { readonly places: Map<number, number>; readonly prefixLength: number } {
  const tally = new Map<number, number>();
  let total = 0;
  counts.forEach((_high, _low, count) => {
    tally.set(count, (tally.get(count) ?? 0) + 1);
    total += count;
  });
  const places = new Map<number, number>();
  let room = share * total;
  let prefixLength = 0;
  for (const [count, ngramCount] of [...tally].toSorted(([a], [b]) => b - a)) {
    const taken = Math.min(ngramCount, Math.floor(room / count));
    places.set(count, prefixLength);
    prefixLength += taken;
    room -= taken * count;
    if (taken < ngramCount) break;
  }
  return { places, prefixLength };
}

/** The keys `[count, 2]`, low lane first, in ascending order. */
function sortedKeys(counts: NgramMap): Int32Array {
  const keys = new Int32Array(counts.size * 2);
  let at = 0;
  counts.forEach((high, low) => {
    keys[at++] = low;
    keys[at++] = high;
  });
  // This platform is little-endian: both lanes are one number, which sorts at native speed.
  new BigUint64Array(keys.buffer).sort();
  return keys;
}
