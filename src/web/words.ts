/** How the console words things: plain functions, which know no document. */
import type { StrataError } from "../foundation/errors.ts";

/** What a header cannot carry would look like a server that is away; empty when there is none. */
export function keyFault(key: string): string {
  if (/^[\x21-\x7e]+$/.test(key)) return "";
  return "Cannot use this key: expected printable ASCII characters without spaces";
}

/** The API blames its field; the console has that field under another name. */
export function faultWords({ code, field, message }: StrataError): string {
  if (code === "UNAUTHENTICATED") return "This key is not accepted.";
  // It asks of a single text, in a list.
  return field?.startsWith("input") ? message.replace(/"input(?:\[0\])?"/, '"Text"') : message;
}

export function entityWords(count: number): string {
  if (count === 0) return "No entities";
  return count === 1 ? "1 entity" : `${count} entities`;
}

const timingNames = {
  "openai-processing-ms": "total",
  "x-strata-tokenize-ms": "tokenizing",
  "x-strata-load-ms": "loading",
  "x-strata-queue-ms": "queue",
  "x-strata-run-ms": "model",
} as const;

/** What the headers of an answer tell of the time that it took, beside the time on the way. */
export function timingWords(
  headers: { get(name: string): string | null },
  roundTripMs: number,
): string {
  const parts = Object.entries(timingNames).flatMap(([header, name]) => {
    const value = headers.get(header);
    return value === null ? [] : [`${name} ${Math.round(Number(value))} ms`];
  });
  const server = parts.length === 0 ? "no timings" : parts.join(" · ");
  return `Server: ${server}. Round trip ${Math.round(roundTripMs)} ms.`;
}
