/** Names of bytes: SHA-256 in lower-case hexadecimal, prefixed by the algorithm. */
import { createHash } from "node:crypto";

export type Digest = `sha256:${string}`;

export function digestOf(bytes: Uint8Array | string): Digest {
  return `sha256:${createHash("sha256").update(bytes).digest("hex")}`;
}

/** Digest of bytes that arrive in pieces. */
export class DigestStream {
  readonly #hash = createHash("sha256");

  update(bytes: Uint8Array): void {
    this.#hash.update(bytes);
  }

  finish(): Digest {
    return `sha256:${this.#hash.digest("hex")}`;
  }
}
