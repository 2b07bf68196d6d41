/**
 * Reads sentences whose words carry labels, in CoNLL columns. Whatever the bytes are, nothing is
 * thrown: a line that cannot be used is reported with number and reason, and costs its sentence,
 * since a sentence that lacks a word has other entities.
 */
import { isUtf8 } from "node:buffer";
import { labelFault } from "../entities/virtual-model.ts";
import { limits } from "../foundation/limits.ts";
import { type Dataset, type LineFault, textFault } from "./datasets.ts";
import { byCodePoint } from "./read.ts";

export interface LabelledSentence {
  readonly words: readonly string[];
  /** One for each word: `O`, or `B-` or `I-` and a type; see `entitiesOf`. */
  readonly labels: readonly string[];
}

export interface SentenceDataset extends Omit<Dataset, "examples"> {
  readonly sentences: readonly LabelledSentence[];
}

const lineFeed = 0x0a;

/**
 * One word a line: the first column is the word, the last its label; columns are separated by tabs,
 * or by spaces where a line has no tab. Blank lines end sentences, and so do `-DOCSTART-` lines.
 */
export function readConll(bytes: Uint8Array): SentenceDataset {
  const collected = new Collected();
  for (let start = 0, line = 1; start < bytes.length; line++) {
    const found = bytes.indexOf(lineFeed, start);
    const end = found === -1 ? bytes.length : found;
    collected.add(line, readLine(bytes.subarray(start, end)));
    start = end + 1;
  }
  return collected.dataset();
}

interface LabelledWord {
  readonly word: string;
  readonly label: string;
}

/** The word, or what is wrong with its line; undefined between sentences. */
function readLine(bytes: Uint8Array): LabelledWord | string | undefined {
  if (bytes.length > limits.trainingLineBytesMax)
    return `line has ${bytes.length} bytes, the limit is ${limits.trainingLineBytesMax}`;
  if (!isUtf8(bytes)) return "line is not valid UTF-8";
  // Drops a byte order mark.
  const line = new TextDecoder("utf-8").decode(bytes);
  if (line.trim() === "" || line.startsWith("-DOCSTART-")) return undefined;
  return readColumns(line.includes("\t") ? line.split("\t") : line.trim().split(/ +/));
}

function readColumns(columns: readonly string[]): LabelledWord | string {
  if (columns.length < 2) return "expected a word and a label, got one column";
  const word = columns[0]?.trim() ?? "";
  const label = columns.at(-1)?.trim() ?? "";
  if (word === "") return "word is empty";
  return textFault(word) ?? labelFault(label) ?? schemeFault(label) ?? { word, label };
}

function schemeFault(label: string): string | undefined {
  return /^(O|[BI]-.+)$/.test(label) ? undefined : `label is "${label}", expected O, B-… or I-…`;
}

class Collected {
  readonly #sentences: LabelledSentence[] = [];
  /** One string per label, however many words repeat it. */
  readonly #labels = new Map<string, string>();
  readonly #faults: LineFault[] = [];
  #faultCount = 0;
  #current: LabelledWord[] = [];
  #hasFault = false;

  add(line: number, read: LabelledWord | string | undefined): void {
    if (read === undefined) this.#endSentence();
    else if (typeof read === "string") this.#fault(line, read);
    else if (this.#sentences.length === limits.trainingExampleCountMax)
      this.#fault(line, `the limit of ${limits.trainingExampleCountMax} sentences is reached`);
    else this.#current.push(read);
  }

  dataset(): SentenceDataset {
    this.#endSentence();
    return {
      sentences: this.#sentences,
      labels: [...this.#labels.keys()].toSorted(byCodePoint),
      faults: this.#faults,
      faultCount: this.#faultCount,
    };
  }

  #endSentence(): void {
    if (this.#current.length > 0 && !this.#hasFault)
      this.#sentences.push({
        words: this.#current.map(({ word }) => word),
        labels: this.#current.map(({ label }) => this.#known(label)),
      });
    this.#current = [];
    this.#hasFault = false;
  }

  #fault(line: number, reason: string): void {
    this.#hasFault = true;
    this.#faultCount += 1;
    if (this.#faults.length < limits.reportedLineErrorCountMax) this.#faults.push({ line, reason });
  }

  #known(label: string): string {
    const known = this.#labels.get(label);
    if (known === undefined) this.#labels.set(label, label);
    return known ?? label;
  }
}
