/**
 * How many changes of the catalog have been acknowledged, in a file beside it. SQLite drops what
 * follows a damaged place of its log without a word; a catalog that holds fewer changes than the
 * mark says has lost some. The mark is written after each commit and before its answer. It is not
 * synced then: after a power cut it may say less than the truth, never more.
 */
import { closeSync, fdatasyncSync, openSync, readFileSync, writeSync } from "node:fs";
import { halfDigestOf } from "../../foundation/digest.ts";

export interface CatalogState {
  /** It is drawn when the catalog was made; no other catalog has it. */
  readonly id: string;
  readonly changeCount: number;
}

/** It is written over in place: it must need no space when the disk is full. */
const lineBytes = 128;

/** What the mark says: "absent" without a file, "damaged" when its check is wrong. */
export function readMark(path: string): CatalogState | "absent" | "damaged" {
  let line: string;
  try {
    line = readFileSync(path, "latin1");
  } catch {
    return "absent";
  }
  const [id = "", count = "", check = ""] = line.trim().split(" ");
  const state = { id, changeCount: Number(count) };
  return check === checkOf(state) ? state : "damaged";
}

/** The mark of an open catalog. */
export class CommitMark {
  readonly #file: number;
  readonly #id: string;
  #changeCount = -1;

  constructor(path: string, state: CatalogState) {
    // Not emptied: until the new line is there the old one must be.
    closeSync(openSync(path, "a", 0o600));
    this.#file = openSync(path, "r+");
    this.#id = state.id;
    try {
      this.advance(state.changeCount);
      fdatasyncSync(this.#file);
    } catch (error) {
      closeSync(this.#file);
      throw error;
    }
  }

  /** So many changes are committed; fewer than before change nothing. */
  advance(changeCount: number): void {
    if (changeCount <= this.#changeCount) return;
    const state = { id: this.#id, changeCount };
    const line = `${state.id} ${changeCount} ${checkOf(state)}`.padEnd(lineBytes - 1);
    writeSync(this.#file, Buffer.from(`${line}\n`, "latin1"), 0, lineBytes, 0);
    this.#changeCount = changeCount;
  }

  close(): void {
    try {
      fdatasyncSync(this.#file);
    } finally {
      closeSync(this.#file);
    }
  }
}

function checkOf({ id, changeCount }: CatalogState): string {
  return halfDigestOf(`${id} ${changeCount}`);
}
