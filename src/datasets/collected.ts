/** Rows become examples: each is checked, counted and compared with the others. */
import { limits } from "../foundation/limits.ts";
import type { Pace } from "../foundation/pace.ts";
import { visible } from "../foundation/visible.ts";
import { Conflicts } from "./conflicts.ts";
import { type Dataset, type Example, type LineFault, shortageOf } from "./datasets.ts";
import type { ExampleForm, ExampleForms, FormReview } from "./example-form.ts";
import { labelCountFault, Labels } from "./labels.ts";
import { placeOf, type RowPlace } from "./line-count.ts";
import type { Notes, RawFault, RawRow, RawText, Swallowed } from "./readers/rows.ts";
import { type ReadOptions, refuse } from "./readers/source.ts";

const lossRemark =
  'the text holds "\ufffd", which another program has put for what it could not read';

/** Examples that are gone through between two looks at the clock. */
const stepCount = 4096;
/** Rows of a text alone that wait for the first one that shows the form. */
const waitingCountMax = 4096;

type BareRow = RawFault & RowPlace;

function isBefore(left: RowPlace, right: RowPlace): boolean {
  return left.line === right.line ? (left.item ?? 0) <= (right.item ?? 0) : left.line < right.line;
}

/** A row whose quoted cell may have swallowed lines. */
interface Suspect {
  readonly index: number;
  readonly line: number;
  readonly swallowed: Swallowed;
}

/** Counts rows and keeps the first faults. */
export class Faults {
  readonly #source: ReadOptions;
  readonly #first: LineFault[] = [];
  count = 0;
  #rowCount = 0;

  constructor(source: ReadOptions) {
    this.#source = source;
  }

  /** They are in the order of lines, though some are found out after the rows behind them. */
  get first(): readonly LineFault[] {
    return this.#first;
  }

  /** TOO_LARGE at the first row past the limit, whatever is in it. */
  countRow(line: number): void {
    const { trainingExampleCountMax: max } = limits;
    this.#rowCount += 1;
    if (this.#rowCount > max)
      refuse(this.#source, `line ${line} is past the limit of ${max} examples`, "TOO_LARGE");
  }

  add(place: RowPlace, reason: string): void {
    this.count += 1;
    const at = this.#first.findLastIndex((fault) => isBefore(fault, place)) + 1;
    if (at >= limits.reportedLineErrorCountMax) return;
    this.#first.splice(at, 0, { ...placeOf(place), reason });
    if (this.#first.length > limits.reportedLineErrorCountMax) this.#first.pop();
  }
}

export interface CollectedOptions extends ReadOptions {
  /** Those that a file may have: the first row that can be used decides. */
  readonly forms: ExampleForms;
}

export class Collected {
  readonly #source: CollectedOptions;
  readonly #notes: Notes;
  readonly #faults: Faults;
  readonly #examples: Example[] = [];
  readonly #lines: number[] = [];
  readonly #labels = new Labels();
  readonly #conflicts = new Conflicts();
  readonly #suspects: Suspect[] = [];
  readonly #waiting: BareRow[] = [];
  readonly #fieldCounts = new Map<string, number>();
  #form: ExampleForm | undefined;
  readonly #reviews = new Map<ExampleForm, FormReview>();
  /** The line that has decided the form. */
  #formLine = 0;

  constructor(source: CollectedOptions, notes: Notes) {
    this.#source = source;
    this.#notes = notes;
    this.#faults = new Faults(source);
  }

  add(row: RawRow): void {
    const { line } = row;
    this.#faults.countRow(line);
    if ("skipped" in row) return this.#notes.addAt(row, row.skipped);
    if (!("fault" in row)) return this.#take(row);
    const canWait = this.#form === undefined && this.#waiting.length < waitingCountMax;
    if (row.bare !== undefined && canWait) this.#waiting.push(row);
    else this.#takeBare(row);
  }

  /** A text beside which nothing stands is an example where the file's form knows it. */
  #takeBare({ fault, bare, ...place }: BareRow): void {
    const row = bare === undefined ? undefined : this.#form?.ofBare?.(bare);
    if (row === undefined) this.#faults.add(place, fault);
    else this.#take({ ...row, ...place });
  }

  #take(row: RawText & RowPlace): void {
    const { line } = row;
    const example = this.#checked(row);
    if (this.#form !== undefined) for (const one of this.#waiting.splice(0)) this.#takeBare(one);
    if (typeof example === "string") return this.#faults.add(row, example);
    if (this.#labels.size > limits.labelCountMax) refuse(this.#source, labelCountFault(line));
    if (row.swallowed !== undefined)
      this.#suspects.push({ index: this.#examples.length, line, swallowed: row.swallowed });
    this.#examples.push(example);
    this.#lines.push(line);
    this.#conflicts.add(example.text, this.#formOf().spelled(example));
    this.#reviewOf(this.#formOf()).add({ row, example, ...placeOf(row) });
    if (example.text.includes("\ufffd")) this.#notes.addAt(row, lossRemark);
    for (const remark of row.remarks ?? []) this.#notes.addAt(row, remark);
    if (row.fields !== undefined)
      this.#fieldCounts.set(row.fields, (this.#fieldCounts.get(row.fields) ?? 0) + 1);
  }

  async dataset(pace: Pace): Promise<Dataset> {
    for (const row of this.#waiting.splice(0)) this.#takeBare(row);
    const { examples, lines } = await this.#withoutSuspects(pace);
    const sorted = this.#labels.sorted();
    const labels = sorted.map(([label]) => label);
    const labelCounts = sorted.map(([, count]) => count);
    const { task, labelCountMin } = this.#formOf();
    const refusal = this.#reviewOf(this.#formOf()).refusal?.();
    if (refusal !== undefined) refuse(this.#source, refusal);
    return {
      task,
      examples,
      lines,
      labels,
      labelCounts,
      shortage: shortageOf({ labels, labelCounts }, labelCountMin),
      faults: this.#faults.first,
      faultCount: this.#faults.count,
      warnings: firstOf([
        ...this.#notes.sentences(),
        ...this.#fieldWarnings(),
        ...this.#labelWarnings(),
      ]),
    };
  }

  #formOf(): ExampleForm {
    return this.#form ?? this.#source.forms.fallback;
  }

  #reviewOf(form: ExampleForm): FormReview {
    const known = this.#reviews.get(form);
    if (known !== undefined) return known;
    const review = form.review();
    this.#reviews.set(form, review);
    return review;
  }

  /** The checked example, or the reason why it is none. */
  #checked(row: RawText & { readonly line: number }): Example | string {
    const { distinct, fallback } = this.#source.forms;
    const form = [...distinct, fallback].find((one) => one.claims(row));
    if (form === undefined) return "it is no example of any kind of task";
    if (this.#form !== undefined && form !== this.#form)
      return `it has ${form.content}, where line ${this.#formLine} has ${this.#form.content}`;
    const example = form.checked(row, this.#labels);
    if (typeof example === "string") this.#reviewOf(form).addFault?.(example);
    if (typeof example === "string" || this.#form !== undefined) return example;
    this.#form = form;
    this.#formLine = row.line;
    return example;
  }

  /** The examples but those that stand for several lines of which a quote has made one cell. */
  async #withoutSuspects(pace: Pace): Promise<Pick<Dataset, "examples" | "lines">> {
    const swallowing = new Set<number>();
    for (const { index, line, swallowed } of this.#suspects) {
      const fault = swallowFault(swallowed, (label) => this.#labels.has(label));
      if (pace.isDue) await pace.rest();
      if (fault === undefined) continue;
      swallowing.add(index);
      this.#faults.add({ line }, fault);
    }
    if (swallowing.size === 0) return { examples: this.#examples, lines: this.#lines };
    const examples: Example[] = [];
    const lines: number[] = [];
    for (const [index, example] of this.#examples.entries()) {
      if (index % stepCount === 0 && pace.isDue) await pace.rest();
      if (!swallowing.has(index)) {
        examples.push(example);
        lines.push(this.#lines[index] ?? 0);
      } else for (const label of this.#formOf().labelsOf(example)) this.#labels.remove(label);
    }
    return { examples, lines };
  }

  #fieldWarnings(): readonly string[] {
    if (this.#fieldCounts.size < 2) return [];
    const counts = [...this.#fieldCounts]
      .slice(0, 8)
      .map(([fields, count]) => `${fields} (${count})`);
    return [`rows call their fields differently: ${counts.join(", ")}`];
  }

  #labelWarnings(): readonly string[] {
    const { count } = this.#conflicts;
    const conflict = count === 1 ? "1 text stands" : `${count} texts stand`;
    return [
      ...this.#reviewOf(this.#formOf()).warnings(),
      ...this.#labels.warnings(),
      ...(count === 0 ? [] : [`${conflict} ${this.#formOf().conflict}`]),
    ];
  }
}

function firstOf(warnings: readonly string[]): readonly string[] {
  const rest = warnings.length - limits.reportedLineErrorCountMax;
  if (rest <= 0) return warnings;
  return [...warnings.slice(0, limits.reportedLineErrorCountMax), `and ${rest} more warnings`];
}

/** What is wrong with a record of several lines, if one of them has a label of the file. */
export function swallowFault(
  { labels, lastLine }: Swallowed,
  isKnown: (label: string) => boolean,
): string | undefined {
  const label = labels.find(isKnown);
  if (label === undefined) return undefined;
  const shown = `"${visible(label)}"`;
  return `a quote that opens here swallows lines up to line ${lastLine}, one with label ${shown}`;
}
