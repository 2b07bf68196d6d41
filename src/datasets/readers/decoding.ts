/**
 * Decodes text that arrives in pieces, and makes every line end "\n". What cannot be decoded ends
 * the text and says why; no character is replaced.
 */

export type Encoding = "utf-8" | "utf-16le" | "utf-16be";

/** The end of the text that could be decoded: what is wrong with the bytes that follow. */
export interface DecodingLoss {
  readonly reason: string;
}

const replacement = "\ufffd";
/**
 * Characters 0x80 to 0x9F; elsewhere it is Latin-1. Node 20 decodes these as control characters.
 */
const windows1252 = "€ ‚ƒ„…†‡ˆ‰Š‹Œ Ž  ‘’“”•–—˜™š›œ žŸ";

interface Decoded {
  readonly text: string;
  readonly loss?: DecodingLoss;
}

export class Decoding {
  readonly #encoding: Encoding;
  readonly #strict: InstanceType<typeof TextDecoder>;
  /** The first bytes of a character whose others have not come yet. */
  #rest: Uint8Array = new Uint8Array();
  /** A carriage return that a line feed may follow. */
  #heldReturn = "";

  constructor(encoding: Encoding) {
    this.#encoding = encoding;
    this.#strict = new TextDecoder(encoding, { fatal: true, ignoreBOM: true });
  }

  next(bytes: Uint8Array): Decoded {
    const known = this.#rest.length === 0 ? bytes : Buffer.concat([this.#rest, bytes]);
    const end = known.length - openBytes(known, this.#encoding);
    this.#rest = known.slice(end);
    const body = known.subarray(0, end);
    try {
      return { text: this.#withLineFeeds(this.#strict.decode(body)) };
    } catch {
      const { text, reason } = lossIn(body, this.#encoding);
      return { text: this.#withLineFeeds(text), loss: { reason } };
    }
  }

  end(): Decoded {
    const text = this.#heldReturn === "" ? "" : "\n";
    if (this.#rest.length === 0) return { text };
    const [byte] = this.#rest;
    const loss = lossReason({ encoding: this.#encoding, byte: byte ?? 0 });
    return { text, loss: { reason: `the file ends within a character: ${loss}` } };
  }

  #withLineFeeds(decoded: string): string {
    const held = this.#heldReturn + decoded;
    if (!held.includes("\r")) return held;
    this.#heldReturn = held.endsWith("\r") ? "\r" : "";
    const text = this.#heldReturn === "" ? held : held.slice(0, -1);
    return text.replaceAll(/\r\n?/g, "\n");
  }
}

/** How many bytes at the end begin a character that is not complete. */
function openBytes(bytes: Uint8Array, encoding: Encoding): number {
  const { length } = bytes;
  if (encoding === "utf-8") {
    // The last byte that begins a character, if it is near enough to lack some.
    const start = bytes.subarray(-3).findLastIndex((byte) => (byte & 0xc0) !== 0x80);
    const back = start === -1 ? 0 : Math.min(3, length) - start;
    return byteCountOf(bytes[length - back] ?? 0) > back ? back : 0;
  }
  const odd = length % 2;
  const high = bytes[length - odd - (encoding === "utf-16le" ? 1 : 2)] ?? 0;
  return high >= 0xd8 && high <= 0xdb ? odd + 2 : odd;
}

/** The bytes of a character in UTF-8, told by its first one. */
function byteCountOf(first: number): number {
  if (first >= 0xf0) return 4;
  if (first >= 0xe0) return 3;
  return first >= 0xc0 ? 2 : 1;
}

/** The text before the first bytes that are no character, and what is wrong with these. */
function lossIn(bytes: Uint8Array, encoding: Encoding): { text: string; reason: string } {
  const text = new TextDecoder(encoding, { ignoreBOM: true }).decode(bytes);
  let [from, offset] = [0, 0];
  for (;;) {
    const at = text.indexOf(replacement, from);
    const passed = at === -1 ? "" : text.slice(from, at);
    offset += encoding === "utf-8" ? Buffer.byteLength(passed) : 2 * passed.length;
    const byte = bytes[offset] ?? 0;
    if (at === -1 || !isReplacement(bytes.subarray(offset), encoding))
      return { text: text.slice(0, Math.max(at, 0)), reason: lossReason({ encoding, byte }) };
    // The file itself holds this character.
    offset += encoding === "utf-8" ? 3 : 2;
    from = at + 1;
  }
}

function isReplacement(bytes: Uint8Array, encoding: Encoding): boolean {
  const written = {
    "utf-8": [0xef, 0xbf, 0xbd],
    "utf-16le": [0xfd, 0xff],
    "utf-16be": [0xff, 0xfd],
  };
  return written[encoding].every((byte, index) => bytes[index] === byte);
}

function lossReason({ encoding, byte }: { encoding: Encoding; byte: number }): string {
  if (encoding !== "utf-8") return "half of a character in UTF-16; save the file as UTF-8";
  const character = byte < 0xa0 ? windows1252[byte - 0x80] : String.fromCharCode(byte);
  const isNone = character === undefined || character === " ";
  const other = isNone ? "" : ` (in Windows-1252 it is "${character}")`;
  const hex = byte.toString(16).toUpperCase();
  return `byte 0x${hex} is not UTF-8${other}; save the file as UTF-8`;
}
