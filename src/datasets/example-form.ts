/**
 * `ExampleForm`: what the rows of a file become, by the kind of task that they are examples of.
 * Reading knows no more of a task than this; a kind of task brings its form, which sits the exam of
 * `conformance.ts`.
 */
import type { TaskName } from "../foundation/kind-names.ts";
import type { Example } from "./datasets.ts";
import type { Labels } from "./labels.ts";
import type { RowPlace } from "./line-count.ts";
import type { Fields } from "./readers/fields.ts";
import type { RawExample, RawText } from "./readers/rows.ts";

export interface ExampleForm<Row extends RawText = RawText, E extends Example = Example> {
  readonly task: TaskName;
  /** What its rows hold, for messages. */
  readonly content: string;
  /** How texts stand that occur with several of them, for messages. */
  readonly conflict: string;
  /** The fewest labels from which a model can be trained. */
  readonly labelCountMin: number;
  /**
   * The row that the fields of a JSON object make, or why they make none; undefined where they are
   * of another form. Where labels are not asked for, the text is enough.
   */
  ofObject(fields: Fields, isLabelled: boolean): RawExample | undefined;
  /** The row that a text makes beside which nothing stands; absent where that is a fault. */
  ofBare?(row: RawText): Row;
  /** Whether a row is of this form. */
  claims(row: RawText): row is Row;
  /** The checked example, its labels counted; or the reason why it is none, nothing counted. */
  checked(row: Row, labels: Labels): E | string;
  /** Each label as often as it was counted. */
  labelsOf(example: E): readonly string[];
  /** Alike for examples of one text that say the same. */
  spelled(example: E): string;
  /** A look over all rows of one file. */
  review(): FormReview<Row, E>;
}

/** A form that takes every object: one that is none of it has a fault. */
export interface FallbackForm<
  Row extends RawText = RawText,
  E extends Example = Example,
> extends ExampleForm<Row, E> {
  ofObject(fields: Fields, isLabelled: boolean): RawExample;
}

/** The forms that the rows of a file may have. */
export interface ExampleForms {
  /** They know their rows: no two take one object, or claim one row, in whatever order. */
  readonly distinct: readonly ExampleForm[];
  /** What an object is that none of them takes, and a file in which no row can be used. */
  readonly fallback: FallbackForm;
}

/** Sees each example of a file, and says in the end what its user may not have meant. */
export interface FormReview<Row extends RawText = RawText, E extends Example = Example> {
  add(read: ReadRow<Row, E>): void;
  /** Sees why a row of the form is no example. */
  addFault?(reason: string): void;
  /** Why no row can be used after all, whatever each is by itself; undefined when they can. */
  refusal?(): string | undefined;
  warnings(): readonly string[];
}

export interface ReadRow<
  Row extends RawText = RawText,
  E extends Example = Example,
> extends RowPlace {
  readonly row: Row;
  readonly example: E;
}
