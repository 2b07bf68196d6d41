/**
 * What commands print. Results go to stdout, notes and progress to stderr. With `--json`, stdout
 * carries one JSON value and stderr nothing but an error. Colours, tables and bars are loaded when
 * they are first used.
 */
import type { StrataError } from "../foundation/errors.ts";
import { errorCodes } from "../foundation/errors.ts";
import type { Surroundings } from "./surroundings.ts";

export interface Progress {
  /** `done` of the total that the progress was opened with; `text` says what is happening. */
  update(done: number, text?: string): void;
  close(): void;
}

export interface ProgressOptions {
  readonly title: string;
  readonly total: number;
}

export type Paint = "bold" | "dim" | "red" | "green" | "yellow" | "cyan";

export class Output {
  readonly isJson: boolean;
  readonly #surroundings: Surroundings;

  constructor(surroundings: Surroundings, isJson: boolean) {
    this.#surroundings = surroundings;
    this.isJson = isJson;
  }

  /** Prints the command's result: the value as JSON, or what `render` prints. */
  async result(value: unknown, render: () => void | Promise<void>): Promise<void> {
    if (this.isJson) this.#surroundings.output.write(`${JSON.stringify(value)}\n`);
    else await render();
  }

  line(text = ""): void {
    if (!this.isJson) this.#surroundings.output.write(`${text}\n`);
  }

  note(text: string): void {
    if (!this.isJson) this.#surroundings.errors.write(`${text}\n`);
  }

  /** `hint` says what to do about it. */
  error(error: StrataError, hint?: string): void {
    const { code, message, field } = error;
    const exitStatus = errorCodes[code].cliExit;
    const details = { ...(field && { field }), ...(hint && { hint }), exitStatus };
    const text = this.isJson
      ? JSON.stringify({ error: { code, message, ...details } })
      : `Error: ${message}${hint === undefined ? "" : `\nHint: ${hint}`}`;
    this.#surroundings.errors.write(`${text}\n`);
  }

  async table(titles: readonly string[], rows: readonly (readonly string[])[]): Promise<void> {
    if (this.isJson) return;
    const { default: Table } = await import("cli-table3");
    const table = new Table({
      head: titles.map((title) => title.toUpperCase()),
      chars: borderless,
      style: { head: [], border: [], "padding-left": 0, "padding-right": 2 },
    });
    table.push(...rows.map((row) => [...row]));
    this.line(table.toString().replace(/[ ]+$/gm, ""));
  }

  /** Paints for stdout; nothing is painted for files, pipes, NO_COLOR and JSON. */
  async painter(): Promise<(paint: Paint, text: string) => string> {
    const { environment, output } = this.#surroundings;
    const isColored = output.isTTY === true && !environment["NO_COLOR"] && !this.isJson;
    if (!isColored) return (_, text) => text;
    const { default: picocolors } = await import("picocolors");
    const colors = picocolors.createColors(true);
    return (paint, text) => colors[paint](text);
  }

  /** A bar on a terminal; in a log, a line when the text changes and at each quarter. */
  async progress(options: ProgressOptions): Promise<Progress> {
    if (this.isJson) return { update: () => undefined, close: () => undefined };
    if (this.#surroundings.errors.isTTY !== true) return this.#plainProgress(options);
    const { default: cliProgress } = await import("cli-progress");
    const bar = new cliProgress.SingleBar({
      format: `${options.title.padEnd(22)} {bar} {percentage} %  {text}`,
      barCompleteChar: "█",
      barIncompleteChar: "░",
      barsize: 28,
      hideCursor: true,
      stream: this.#surroundings.errors,
    });
    bar.start(options.total, 0, { text: "" });
    return {
      update: (done, text) => bar.update(Math.min(done, options.total), text ? { text } : {}),
      close: () => bar.stop(),
    };
  }

  #plainProgress({ title, total }: ProgressOptions): Progress {
    let quarter = -1;
    return {
      update: (done, text = "") => {
        const next = Math.floor((4 * done) / Math.max(total, 1));
        if (next <= quarter) return;
        quarter = next;
        this.note(`${title}: ${Math.min(100, 25 * next)} % ${text}`.trimEnd());
      },
      close: () => undefined,
    };
  }
}

/** `1.2 MB` for 1,234,567. */
export function formatBytes(bytes: number): string {
  if (bytes < 1000) return `${bytes} B`;
  const units = ["kB", "MB", "GB", "TB"];
  let value = bytes / 1000;
  let unit = 0;
  while (value >= 999.5 && unit < units.length - 1) {
    value /= 1000;
    unit += 1;
  }
  return `${value.toFixed(value < 10 ? 1 : 0)} ${units[unit] ?? ""}`;
}

const borderless = Object.fromEntries(
  (
    "top top-mid top-left top-right bottom bottom-mid bottom-left bottom-right " +
    "left left-mid mid mid-mid right right-mid middle"
  )
    .split(" ")
    .map((part) => [part, ""]),
);
