/** Which calls are sent once more when their connection fails them. */
import type { Api } from "../contract/contract.ts";

/**
 * Whether a call that `fetch` rejected is worth a second one, which can do no harm: its connection
 * was reset and it changes nothing.
 */
export function mayRepeat(operation: keyof Api, error: unknown): boolean {
  return isReset(error) && changesNothing(operation);
}

/**
 * Whether the connection was closed before an answer began. A kept one may be, by the server or by
 * whoever stands between, just when it is used again; a new one then serves as well.
 */
function isReset(error: unknown): boolean {
  const cause: unknown = error instanceof Error ? error.cause : undefined;
  if (!(cause instanceof Error) || !("code" in cause)) return false;
  return ["ECONNRESET", "EPIPE", "UND_ERR_SOCKET"].includes(String(cause.code));
}

/**
 * Whether a call may be sent twice. What was reset may have been obeyed: a second deletion would
 * say that there is nothing, and a second job would run.
 */
function changesNothing(operation: keyof Api): boolean {
  return operation.startsWith("GET ") || inferences.has(operation);
}

const inferences: ReadonlySet<keyof Api> = new Set([
  "POST /v1/embeddings",
  "POST /v1/classify",
  "POST /v1/classify-tokens",
]);
