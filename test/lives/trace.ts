/**
 * What happened in a run, line by line: a hash over all of it, and the last lines to be read. The
 * places in the stacks of errors are read alone: they are those of one checkout, and depend on
 * whether Node maps them to sources.
 */
import { createHash } from "node:crypto";

/** Enough to see how it came to the end. */
const keptLineCount = 120;
const bufferCharacters = 64 * 1024;
/** A place in a stack, in JSON. */
const stackPlace = /\\n +at [^"\\]*/g;

export class Trace {
  readonly #hash = createHash("sha256");
  readonly #last: string[] = [];
  readonly #listener: ((line: string) => void) | undefined;
  #buffer = "";

  constructor(listener?: (line: string) => void) {
    this.#listener = listener;
  }

  say(line: string): void {
    this.#listener?.(line);
    this.#buffer += `${line.replaceAll(stackPlace, "")}\n`;
    if (this.#buffer.length > bufferCharacters) this.#flush();
    this.#last.push(line);
    if (this.#last.length > 2 * keptLineCount) this.#last.splice(0, keptLineCount);
  }

  get lastLines(): readonly string[] {
    return this.#last.slice(-keptLineCount);
  }

  /** The digest of all lines so far. */
  get digest(): string {
    this.#flush();
    return this.#hash.copy().digest("hex");
  }

  #flush(): void {
    this.#hash.update(this.#buffer);
    this.#buffer = "";
  }
}
