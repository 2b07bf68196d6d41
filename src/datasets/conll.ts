/**
 * Reads sentences whose words carry labels, in CoNLL columns. A line that cannot be used is
 * reported with number and reason, and costs its sentence, since a sentence that lacks a word has
 * other entities.
 */
import { labelFault } from "../entities/virtual-model.ts";
import { limits } from "../foundation/limits.ts";
import { Pace } from "../foundation/pace.ts";
import { Faults } from "./collected.ts";
import { type Dataset, textFault } from "./datasets.ts";
import { byCodePoint, labelCountFault } from "./labels.ts";
import { Lines } from "./lines.ts";
import { type ReadOptions, refuse, textPieces } from "./source.ts";

export interface LabelledSentence {
  readonly words: readonly string[];
  /** One for each word: `O`, or `B-` or `I-` and a type; see `entitiesOf`. */
  readonly labels: readonly string[];
}

export interface SentenceDataset extends Pick<Dataset, "labels" | "faults" | "faultCount"> {
  readonly sentences: readonly LabelledSentence[];
}

/**
 * One word a line: the first column is the word, the last its label; columns are separated by tabs,
 * or by spaces where a line has no tab. Blank lines end sentences, and so do `-DOCSTART-` lines.
 */
export async function readConll(
  chunks: AsyncIterable<Uint8Array>,
  options: ReadOptions,
): Promise<SentenceDataset> {
  const lines = new Lines(() => false);
  const collected = new CollectedSentences(options);
  const pace = new Pace(options.signal);
  for await (const piece of textPieces(chunks, options)) {
    if (typeof piece !== "string")
      refuse(options, `line ${lines.number + 1}, column ${lines.openLength + 1}: ${piece.reason}`);
    for (const line of lines.read(piece)) {
      collected.add(lines.number, readLine(line));
      if (pace.isDue) await pace.rest();
    }
  }
  for (const line of lines.end()) collected.add(lines.number, readLine(line));
  return collected.dataset(lines.number);
}

interface LabelledWord {
  readonly word: string;
  readonly label: string;
}

/** The word, or what is wrong with its line; undefined between sentences. */
function readLine(line: string): LabelledWord | string | undefined {
  const { trainingLineCharactersMax: lengthMax } = limits;
  if (line.length > lengthMax) return `line is longer than ${lengthMax} characters`;
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

class CollectedSentences {
  readonly #source: ReadOptions;
  readonly #faults: Faults;
  readonly #sentences: LabelledSentence[] = [];
  /** One string per label, however many words repeat it. */
  readonly #labels = new Map<string, string>();
  #current: LabelledWord[] = [];
  #hasFault = false;

  constructor(source: ReadOptions) {
    this.#source = source;
    this.#faults = new Faults(source);
  }

  add(line: number, read: LabelledWord | string | undefined): void {
    if (read === undefined) return this.#endSentence(line);
    if (typeof read === "string") {
      this.#hasFault = true;
      this.#faults.countRow(line);
      return this.#faults.add(line, read);
    }
    if (this.#current.length === 0) this.#faults.countRow(line);
    this.#current.push(read);
  }

  dataset(line: number): SentenceDataset {
    this.#endSentence(line);
    return {
      sentences: this.#sentences,
      labels: [...this.#labels.keys()].toSorted(byCodePoint),
      faults: this.#faults.first,
      faultCount: this.#faults.count,
    };
  }

  #endSentence(line: number): void {
    if (this.#current.length > 0 && !this.#hasFault)
      this.#sentences.push({
        words: this.#current.map(({ word }) => word),
        labels: this.#current.map(({ label }) => this.#known(label)),
      });
    if (this.#labels.size > limits.labelCountMax) refuse(this.#source, labelCountFault(line));
    this.#current = [];
    this.#hasFault = false;
  }

  #known(label: string): string {
    const known = this.#labels.get(label);
    if (known === undefined) this.#labels.set(label, label);
    return known ?? label;
  }
}
