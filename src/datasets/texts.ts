/** Rows become texts to classify: their labels are ignored. */
import { limits } from "../foundation/limits.ts";
import { Faults, swallowFault } from "./collected.ts";
import { faultSummary, textValueFault } from "./datasets.ts";
import type { Notes, RawRow, Swallowed } from "./readers/rows.ts";
import { type ReadOptions, refuse } from "./readers/source.ts";

export interface Texts {
  readonly texts: readonly string[];
  /** What the user may not have meant, in sentences. */
  readonly warnings: readonly string[];
}

export class CollectedTexts {
  readonly #source: ReadOptions;
  readonly #notes: Notes;
  readonly #faults: Faults;
  readonly #texts: string[] = [];
  readonly #labels = new Set<string>();
  readonly #suspects: { readonly line: number; readonly swallowed: Swallowed }[] = [];

  constructor(source: ReadOptions, notes: Notes) {
    this.#source = source;
    this.#notes = notes;
    this.#faults = new Faults(source);
  }

  add(row: RawRow): void {
    const { line } = row;
    this.#faults.countRow(line);
    if ("fault" in row) return this.#faults.add(row, row.fault);
    if ("skipped" in row) return this.#faults.add(row, row.skipped);
    const { text, swallowed } = row;
    const label = "label" in row ? row.label : undefined;
    const fault = textValueFault(text);
    if (fault !== undefined || typeof text !== "string")
      return this.#faults.add(row, fault ?? "text is missing");
    if (typeof label === "string" && this.#labels.size < limits.labelCountMax)
      this.#labels.add(label.trim().normalize("NFC"));
    if (swallowed !== undefined) this.#suspects.push({ line, swallowed });
    this.#texts.push(text);
  }

  /** INVALID_ARGUMENT when a row cannot be used: answers would not line up with rows. */
  texts(): Texts {
    let usableCount = this.#texts.length;
    for (const { line, swallowed } of this.#suspects) {
      const fault = swallowFault(swallowed, (label) => this.#labels.has(label));
      if (fault === undefined) continue;
      usableCount -= 1;
      this.#faults.add({ line }, fault);
    }
    const { first, count } = this.#faults;
    const summary = faultSummary({ faults: first, faultCount: count }, usableCount);
    if (summary !== undefined) refuse(this.#source, summary);
    return { texts: this.#texts, warnings: this.#notes.sentences() };
  }
}
