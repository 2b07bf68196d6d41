/**
 * Reads training data, as JSON lines or CSV. Whatever the bytes are, nothing is thrown: each line
 * that cannot be used is counted, and the first ones are reported with number and reason.
 */
import { labelFault } from "../entities/virtual-model.ts";
import { limits } from "../foundation/limits.ts";
import { readCsv } from "./csv.ts";
import { type Dataset, type Example, type LineFault, textFault } from "./datasets.ts";
import { readJsonLines } from "./json-lines.ts";
import { pause, type RawExample, type RawLine } from "./raw-line.ts";

export type DatasetFormat = "jsonl" | "csv";

/**
 * Reads examples in the order of the file.
 * - `jsonl`: one object per line: `{"text", "label"}`, `{"prompt", "completion"}`, or chat,
 *   `{"messages"}`, where what the user says is the text and the assistant's last answer the label.
 * - `csv`: a header that names `text` and `label` (or `category`, or `class`); the separator is a
 *   comma, a semicolon or a tab.
 *
 * Labels are strings or integers, which become strings; white space around them is cut. Other
 * fields are ignored, blank lines are skipped. A line that lies past `trainingExampleCountMax`
 * examples is a fault too.
 */
export function readDataset(bytes: Uint8Array, format: DatasetFormat): Dataset {
  const collected = new Collected();
  for (const raw of rawLines(bytes, format)) if (raw !== pause) collected.add(raw);
  return collected.dataset();
}

/** The same, but others come to run in between; rejects with the signal's reason. */
export async function readDatasetInSteps(
  bytes: Uint8Array,
  format: DatasetFormat,
  signal?: AbortSignal,
): Promise<Dataset> {
  const collected = new Collected();
  for (const raw of rawLines(bytes, format)) {
    if (raw !== pause) {
      collected.add(raw);
      continue;
    }
    await new Promise((resolve) => setImmediate(resolve));
    signal?.throwIfAborted();
  }
  return collected.dataset();
}

/** By the name's ending, else by the first character that is not white space. */
export function detectFormat(filename: string, bytes: Uint8Array): DatasetFormat {
  if (/\.(jsonl|ndjson|json)$/i.test(filename)) return "jsonl";
  if (/\.(csv|tsv)$/i.test(filename)) return "csv";
  const start = startsWithMark(bytes) ? 3 : 0;
  const first = bytes.subarray(start, start + 4096).find((byte) => byte > 0x20);
  return first === 0x7b ? "jsonl" : "csv";
}

function rawLines(bytes: Uint8Array, format: DatasetFormat): Generator<RawLine | typeof pause> {
  const body = startsWithMark(bytes) ? bytes.subarray(3) : bytes;
  return format === "csv" ? readCsv(body) : readJsonLines(body);
}

/** Whether a byte order mark comes first. */
function startsWithMark(bytes: Uint8Array): boolean {
  return bytes[0] === 0xef && bytes[1] === 0xbb && bytes[2] === 0xbf;
}

class Collected {
  readonly #examples: Example[] = [];
  /** One string per label, however many examples repeat it. */
  readonly #labels = new Map<string, string>();
  readonly #faults: LineFault[] = [];
  #faultCount = 0;

  add(raw: RawLine): void {
    const example = toExample(raw);
    if (typeof example === "string") this.#fault(raw.line, example);
    else if (this.#examples.length === limits.trainingExampleCountMax)
      this.#fault(raw.line, `the limit of ${limits.trainingExampleCountMax} examples is reached`);
    else this.#examples.push({ text: example.text, label: this.#known(example.label) });
  }

  dataset(): Dataset {
    return {
      examples: this.#examples,
      labels: [...this.#labels.keys()].toSorted(byCodePoint),
      faults: this.#faults,
      faultCount: this.#faultCount,
    };
  }

  #fault(line: number, reason: string): void {
    this.#faultCount += 1;
    if (this.#faults.length < limits.reportedLineErrorCountMax) this.#faults.push({ line, reason });
  }

  #known(label: string): string {
    const known = this.#labels.get(label);
    if (known === undefined) this.#labels.set(label, label);
    return known ?? label;
  }
}

/** The checked example, or the reason why it is none. */
function toExample(raw: RawExample): Example | string {
  if ("fault" in raw) return raw.fault;
  const { text } = raw;
  if (text === undefined) return "text is missing";
  if (typeof text !== "string") return `text is ${kindOf(text)}, expected a string`;
  const label = Number.isSafeInteger(raw.label) ? String(raw.label) : raw.label;
  if (label === undefined) return "label is missing";
  if (typeof label !== "string")
    return `label is ${kindOf(label)}, expected a string or an integer`;
  const example = { text, label: label.trim() };
  return textFault(example.text) ?? labelFault(example.label) ?? example;
}

function kindOf(value: unknown): string {
  if (value === null) return "null";
  if (Array.isArray(value)) return "an array";
  if (Number.isSafeInteger(value)) return "an integer";
  if (typeof value === "number") return "a number that is no integer";
  return typeof value === "object" ? "an object" : `a ${typeof value}`;
}

/** UTF-16 order differs from it above U+FFFF. */
export function byCodePoint(left: string, right: string): number {
  return Buffer.compare(Buffer.from(left), Buffer.from(right));
}
