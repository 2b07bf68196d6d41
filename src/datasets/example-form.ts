/** What the rows of a file become, by the kind of task that they are examples of. */
import type { TaskName } from "../entities/virtual-model.ts";
import type { Example } from "./datasets.ts";
import type { Labels } from "./labels.ts";
import type { RawExample } from "./readers/rows.ts";

/** What rows hold that are not faults. */
export type RawFields = Exclude<RawExample, { readonly fault: string }>;

export interface ExampleForm<Row extends RawFields = RawFields, E extends Example = Example> {
  readonly task: TaskName;
  /** What its rows hold, for messages. */
  readonly content: string;
  /** How texts stand that occur with several of them, for messages. */
  readonly conflict: string;
  /** Whether a row is of this form. */
  claims(row: RawFields): row is Row;
  /** The checked example, its labels counted; or the reason why it is none, nothing counted. */
  checked(row: Row, labels: Labels): E | string;
  /** Each label as often as it was counted. */
  labelsOf(example: E): readonly string[];
  /** Alike for examples of one text that say the same. */
  spelled(example: E): string;
}
