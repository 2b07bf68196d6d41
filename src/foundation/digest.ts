/** Names of bytes: SHA-256 in lower-case hexadecimal, prefixed by the algorithm. */
import { createHash } from "node:crypto";
import { limits } from "./limits.ts";
import { turn } from "./turn.ts";

export type Digest = `sha256:${string}`;

export function digestOf(bytes: Uint8Array | string): Digest {
  return `sha256:${createHash("sha256").update(bytes).digest("hex")}`;
}

/** Digest of bytes that may be many: between pieces of them, others get their turn. */
export async function digestInPieces(bytes: Uint8Array): Promise<Digest> {
  const stream = new DigestStream();
  for (let start = 0; start < bytes.length; start += limits.blobPieceBytesMax) {
    if (start > 0) await turn();
    stream.update(bytes.subarray(start, start + limits.blobPieceBytesMax));
  }
  return stream.finish();
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

/** The first 128 bits in hexadecimal: a check that chance does not pass. */
export function halfDigestOf(bytes: Uint8Array | string): string {
  return digestOf(bytes).slice("sha256:".length, "sha256:".length + 32);
}

/** How many short digests there are: 48 bits, which a double holds exactly. */
export const shortDigestCount = 2 ** 48;

/** The first 48 bits of the SHA-256, as a whole number below `shortDigestCount`. */
export function shortDigestOf(bytes: Uint8Array): number {
  return createHash("sha256").update(bytes).digest().readUIntBE(0, 6);
}
