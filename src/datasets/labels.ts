/** The labels of a file: how often each stands there, in which spellings, and which look alike. */
import { labelFault } from "../entities/virtual-model.ts";
import { limits } from "../foundation/limits.ts";
import { visible } from "../foundation/visible.ts";

/** Spellings, or labels, that a warning tells apart; there may be any number. */
const spellingCountMax = 8;
/** Spellings that are found without normalising them anew. */
const cachedCountMax = 10_000;

type RawLabel = string | number | boolean;

interface LabelEntry {
  readonly label: string;
  count: number;
  /** How the file writes it, with counts. */
  readonly spellings: Map<RawLabel, number>;
}

export class Labels {
  readonly #entries = new Map<string, LabelEntry>();
  /** What stands here with no example any more is no entry: its label has none, or another one. */
  readonly #cache = new Map<RawLabel, LabelEntry>();

  get size(): number {
    return this.#entries.size;
  }

  has(label: string): boolean {
    return this.#entries.has(label);
  }

  /**
   * Counts an example; gives the label, one string for all its spellings: white space around it is
   * cut, and Unicode's composed form taken. An object says what is wrong.
   */
  add(raw: RawLabel): string | { readonly fault: string } {
    const cached = this.#cache.get(raw);
    const entry = cached === undefined || cached.count === 0 ? this.#find(raw) : cached;
    if ("fault" in entry) return entry;
    entry.count += 1;
    const count = entry.spellings.get(raw) ?? 0;
    if (count > 0 || entry.spellings.size < spellingCountMax) entry.spellings.set(raw, count + 1);
    return entry.label;
  }

  /** Takes an example back. */
  remove(label: string): void {
    const entry = this.#entries.get(label);
    if (entry !== undefined) entry.count -= 1;
    if (entry?.count === 0) this.#entries.delete(label);
  }

  /** Labels in the order of code points, with counts. */
  sorted(): readonly (readonly [label: string, count: number])[] {
    const labels = [...this.#entries.values()].map(({ label, count }) => [label, count] as const);
    return labels.toSorted(([left], [right]) => byCodePoint(left, right));
  }

  warnings(): readonly string[] {
    return [...this.#spellingWarnings(), ...this.#likenessWarnings()];
  }

  #find(raw: RawLabel): LabelEntry | { readonly fault: string } {
    const label = String(raw).trim().normalize("NFC");
    let entry = this.#entries.get(label);
    if (entry === undefined) {
      const fault = labelFault(label);
      if (fault !== undefined) return { fault };
      entry = { label, count: 0, spellings: new Map() };
      this.#entries.set(label, entry);
    }
    const isShort = typeof raw !== "string" || raw.length <= 2 * limits.labelCharactersMax;
    const hasRoom = this.#cache.size < cachedCountMax || this.#cache.has(raw);
    if (isShort && hasRoom) this.#cache.set(raw, entry);
    return entry;
  }

  #spellingWarnings(): readonly string[] {
    const several = [...this.#entries.values()].filter(({ spellings }) => spellings.size > 1);
    return several.map(({ label, spellings }) => {
      const all = [...spellings].map(([raw, count]) => `${shown(raw)} (${count})`).join(", ");
      return `label ${shown(label)} is written in several ways, taken as one: ${all}`;
    });
  }

  #likenessWarnings(): readonly string[] {
    const groups = new Map<string, LabelEntry[]>();
    for (const entry of this.#entries.values()) {
      const group = groups.get(folded(entry.label));
      if (group === undefined) groups.set(folded(entry.label), [entry]);
      else group.push(entry);
    }
    return [...groups.values()].flatMap((group) => {
      if (group.length === 1) return [];
      const told = group
        .slice(0, spellingCountMax)
        .map(({ label, count }) => `${shown(label)} (${count})`);
      const rest = group.length - told.length;
      const all = `${told.join(", ")}${rest > 0 ? ` and ${rest} more` : ""}`;
      return [`labels look alike and are kept apart: ${all}; is one of them meant?`];
    });
  }
}

/** Alike for labels that differ in case, white space, quotes, what is invisible, or `.0` only. */
function folded(label: string): string {
  const seen = label
    .normalize("NFKC")
    .replaceAll(/[\s\p{Cf}\p{Cc}"'`\u2018-\u201f\u00ab\u00bb]/gu, "")
    .toLowerCase();
  // A label of quotes alone is like no other.
  if (seen === "") return label;
  return /^[+-]?\d+\.\d*$/.test(seen) ? seen.replace(/\.?0*$/, "") : seen;
}

/** Puts a text in quotes, with what cannot be seen written out. */
function shown(raw: RawLabel): string {
  const spelling = String(raw).slice(0, 2 * limits.labelCharactersMax);
  return typeof raw === "string" ? `"${visible(spelling)}"` : spelling;
}

/** UTF-16 order differs from it above U+FFFF. */
export function byCodePoint(left: string, right: string): number {
  return Buffer.compare(Buffer.from(left), Buffer.from(right));
}

/** What is wrong with one label more. */
export function labelCountFault(line: number): string {
  const { labelCountMax } = limits;
  return `line ${line} brings label ${labelCountMax + 1}, the limit is ${labelCountMax} labels`;
}
