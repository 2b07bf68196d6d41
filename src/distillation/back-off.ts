/**
 * Which neighbours a lookup table would not tell a token of: training shows tri-grams as such a
 * table would find them, by the very search that serves. The table is one of the text's own
 * frequent n-grams, in the shares in which unseen text finds its n-grams in a table of millions.
 */
import { chooseNgrams, NgramCounter, type Shares } from "../knowledge/counting.ts";
import { type NgramMap, numberNgrams } from "../knowledge/ngram-map.ts";
import { NgramSearch } from "../knowledge/ngram-search.ts";

/**
 * What is hidden of each text, by position: 0, or the sum of what is hidden; undefined where
 * nothing is.
 */
export type Hidden = readonly (Uint8Array | undefined)[];

export const hides = { left: 1, right: 2 } as const;

export class BackOff {
  readonly #ngrams: Int32Array;
  readonly #map: NgramMap;

  /** The shares are those of all occurrences in the texts, each kind by itself. */
  constructor(texts: readonly Int32Array[], shares: Shares) {
    const counter = new NgramCounter();
    for (const text of texts) counter.add(text);
    this.#ngrams = chooseNgrams(counter, shares);
    this.#map = numberNgrams(this.#ngrams);
  }

  hiddenIn(text: Int32Array): Uint8Array {
    const { length } = text;
    const search = new NgramSearch({
      maps: [this.#map],
      missRule: "backoff",
      positionCount: length,
    });
    search.add([0], 0, text);
    return Uint8Array.from({ length }, (_, place) => {
      // Row 0 is of no n-gram: nothing of the token is known, which hides what a uni-gram does.
      const at = 3 * (search.rows[place] ?? 0) - 3;
      const isHidden = (offset: number): boolean =>
        (text[place + offset] ?? 0) !== 0 && (this.#ngrams[at + 1 + offset] ?? 0) === 0;
      return (isHidden(-1) ? hides.left : 0) + (isHidden(1) ? hides.right : 0);
    });
  }
}
