/** How the console words things: plain functions, which know no document. */
import type { ModelVersion } from "../contract/models.ts";
import type { StrataError } from "../foundation/errors.ts";

/** What a header cannot carry would look like a server that is away; empty when there is none. */
export function keyFault(key: string): string {
  if (/^[\x21-\x7e]+$/.test(key)) return "";
  return "Cannot use this key: expected printable ASCII characters without spaces";
}

/** The API blames its field; the console has that field under another name. */
export function faultWords({ code, field, message }: StrataError): string {
  if (code === "UNAUTHENTICATED") return "This key is not accepted.";
  return field === "input" ? message.replace('"input"', '"Text"') : message;
}

export function servingWords({
  outcome,
  is_served: isServed,
}: Pick<ModelVersion, "outcome" | "is_served">): string {
  if (!isServed) return "";
  return outcome === "not_served" ? " (serves by alias)" : " (served)";
}

/** A verdict is of the day of publishing: another version may serve since. */
export function verdictWords({ verdict }: Pick<ModelVersion, "verdict">): string {
  return verdict === null ? "" : ` When published: ${verdict}`;
}

/** What a version reached on texts that it did not learn from. */
export function figureWords({ figure }: Pick<ModelVersion, "figure">): string {
  if (figure === null) return "no figure on held-out texts";
  const { name, value, count } = figure;
  return `${name} ${percentWords(value)} on ${count === null ? "" : `${count} `}held-out texts`;
}

export function entityWords(count: number): string {
  if (count === 0) return "No entities";
  return count === 1 ? "1 entity" : `${count} entities`;
}

/** A share in [0, 1], such as `83.3 %`. */
export function percentWords(share: number): string {
  return `${(100 * share).toFixed(1)} %`;
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
