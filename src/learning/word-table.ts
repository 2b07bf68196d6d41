/**
 * The word embeddings during full training, with their AdamW moments. A step reads and replaces
 * only the rows of the words in its batch; other rows keep their moments, as in lazy Adam.
 */
import { wordTable } from "../models/encoder-scope.ts";
import { float32Result, type Results, type Value } from "../runtime/runtime.ts";

const parts = [wordTable, `${wordTable}.mean`, `${wordTable}.square`] as const;

export class WordTable {
  readonly #width: number;
  readonly #tables: ReadonlyMap<string, Float32Array>;

  constructor(values: Float32Array, width: number) {
    this.#width = width;
    const zeros = (): Float32Array => new Float32Array(values.length);
    this.#tables = new Map([
      [wordTable, values.slice()],
      [`${wordTable}.mean`, zeros()],
      [`${wordTable}.square`, zeros()],
    ]);
  }

  /** The words of `ids`, and feeds with their rows; the ids are replaced by indices of the rows. */
  take(ids: Value): { readonly words: Int32Array; readonly feeds: Record<string, Value> } {
    const indexByWord = new Map<number, number>();
    const given = ids.values as Int32Array; // the graph's input is int32
    const indices = given.map((word) => {
      const index = indexByWord.get(word) ?? indexByWord.size;
      indexByWord.set(word, index);
      return index;
    });
    const words = Int32Array.from(indexByWord.keys());
    const feeds: Record<string, Value> = { ids: { ...ids, values: indices } };
    for (const [name, table] of this.#tables) {
      const values = new Float32Array(words.length * this.#width);
      for (const [row, word] of words.entries())
        values.set(this.#row(table, word), row * this.#width);
      feeds[name] = { kind: "value", type: "float32", shape: [words.length, this.#width], values };
    }
    return { words, feeds };
  }

  /** Takes over the rows that a step has computed. */
  replace(words: Int32Array, results: Results): void {
    for (const name of parts) {
      const { values: rows } = float32Result(results, `next.${name}`);
      const table = this.#tables.get(name);
      for (const [row, word] of words.entries())
        table?.set(rows.subarray(row * this.#width, (row + 1) * this.#width), word * this.#width);
    }
  }

  /** A copy of the whole table, `[vocabulary, hidden]`. */
  values(): Value {
    const values = this.#tables.get(wordTable)?.slice() ?? new Float32Array();
    return {
      kind: "value",
      type: "float32",
      shape: [values.length / this.#width, this.#width],
      values,
    };
  }

  #row(table: Float32Array, word: number): Float32Array {
    return table.subarray(word * this.#width, (word + 1) * this.#width);
  }
}
