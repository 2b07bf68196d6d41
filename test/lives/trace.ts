/** What happened in a run, line by line: a hash over all of it, and the last lines to be read. */
import { createHash } from "node:crypto";

/** Enough to see how it came to the end. */
const keptLineCount = 120;
const bufferCharacters = 64 * 1024;

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
    this.#buffer += `${line}\n`;
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
