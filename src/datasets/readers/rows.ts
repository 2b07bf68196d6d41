/** What the formats' readers hand to the check of the examples. */
import { placeOf, type RowPlace, shownPlaces } from "../line-count.ts";

/**
 * What the file has of an example, not yet checked; or why it has none; or why what it has is no
 * example and none is missed.
 */
export type RawExample = RawText | RawFault | { readonly skipped: string };

export interface RawFault {
  readonly fault: string;
  /** The text, where only what should stand beside it is missed: see `ExampleForm.ofBare`. */
  readonly bare?: RawText;
}

/** A text, and beside it what its form knows. */
export interface RawText {
  readonly text: unknown;
  /** The names of the fields that it comes from, for example `text and label`. */
  readonly fields?: string;
  /** What its user may not have meant, in sentences. */
  readonly remarks?: readonly string[];
  readonly swallowed?: Swallowed;
}

/** A text and its label. */
export interface RawLabelled extends RawText {
  readonly label: unknown;
}

/** A text and what is marked in it. */
export interface RawMarked extends RawText {
  readonly entities: unknown;
  /** The tags of its words, where they mean the entities. */
  readonly tags?: readonly string[];
}

/**
 * Labels that stand in the middle of a cell, as if lines of their own ended there. If the file has
 * such a label, a quote has swallowed lines.
 */
export interface Swallowed {
  readonly labels: readonly string[];
  readonly lastLine: number;
}

export type RawRow = RawExample & RowPlace;

/** What readers give where they have worked for a while without a row. */
export const pause = Symbol("pause");

/** Turns a file's text, piece by piece and with "\n" as line end, into rows. */
export interface RowReader {
  /** The line at which the next piece begins, for messages. */
  readonly line: number;
  readonly column: number;
  read(piece: string): Iterable<RawRow | typeof pause>;
  /** Rows that only the end of the file completes. */
  end(): Iterable<RawRow | typeof pause>;
}

export const unmarkedRemark =
  "nothing is marked in the row: it is learned as a text without any entity";
export const markRemark =
  "a byte order mark stands here; it is skipped, as where files were joined";

/** Remarks on lines that were read all the same: each is told once, with its first line. */
export class Notes {
  readonly #lines = new Map<string, { readonly first: RowPlace; count: number }>();
  readonly #general: string[] = [];

  add(line: number, remark: string): void {
    this.addAt({ line }, remark);
  }

  addAt(place: RowPlace, remark: string): void {
    const known = this.#lines.get(remark);
    if (known === undefined) this.#lines.set(remark, { first: placeOf(place), count: 1 });
    else known.count += 1;
  }

  addGeneral(remark: string): void {
    this.#general.push(remark);
  }

  sentences(): readonly string[] {
    const ofLines = [...this.#lines].map(([remark, { first, count }]) => {
      const others = count === 1 ? "" : ` and ${count - 1} more`;
      return `${shownPlaces([first])}${others}: ${remark}`;
    });
    return [...this.#general, ...ofLines];
  }
}
