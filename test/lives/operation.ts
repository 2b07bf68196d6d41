/** What clients ask for, and what they may be answered. */
import type { Tenant } from "../../src/entities/caller.ts";
import type { Ledger } from "./ledger.ts";
import type { Change } from "./ledger-entries.ts";
import type { References } from "./references.ts";
import type { Unsettled } from "./timeline.ts";

export interface Answer {
  readonly status: number;
  /** The JSON value; undefined for bytes. */
  readonly body: unknown;
  readonly bytes: Uint8Array;
  /** The code of an error, as OpenAI's envelope tells it. */
  readonly code: string | undefined;
  readonly message: string;
}

/** The body of a success; a field that is not there is no right answer either. */
export function bodyOf<Body>({ body }: Pick<Answer, "body">): Body {
  return body as Body; // What the contract says of it.
}

/** What an answer is held against. */
export interface Judgement {
  /** The asker's own: what others have does not exist for it. */
  readonly ledger: Ledger;
  /** What others have. */
  readonly others: readonly Ledger[];
  readonly references: References;
  /** The time at which the operation was begun. */
  readonly from: number;
  readonly step: number;
  /** The time at which the process began: what has rotted before is in nobody's memory. */
  readonly startStep: number;
  /** The changes that this operation may have made, so far. */
  readonly changes: readonly Change[];
}

/** A row, and the step at which it has rotted. */
interface Rottable {
  readonly rotStep?: number | undefined;
}

/** Whether the row had rotted before the question, so that nobody can have read it. */
export function hadRotted({ rotStep }: Rottable, { from }: Judgement): boolean {
  return rotStep !== undefined && rotStep < from;
}

/** Whether the row had rotted before the process began, which may remember others. */
export function isForgotten({ rotStep }: Rottable, { startStep }: Judgement): boolean {
  return rotStep !== undefined && rotStep < startStep;
}

export interface Operation {
  /** One line for the trace. */
  readonly what: string;
  readonly wire: Wire;
  /** Whether what it has set going goes on behind an error. */
  readonly goesOn?: boolean;
  /** Whether this operation may make such a change. */
  may(change: Change): boolean;
  /** Why the answer, of success or of the caller's error, is wrong; undefined when it is right. */
  fault(answer: Answer, judgement: Judgement): string | undefined | Promise<string | undefined>;
}

/** An operation under way, with what it is known to have done. */
export interface Pending {
  readonly operation: Operation;
  /** The tenant of the client that asks. */
  readonly tenant: Tenant;
  readonly from: number;
  readonly fromMs: number;
  /** It is called when the process ends before it has answered. */
  readonly onEnd: () => void;
  readonly claims: Claim[];
  /** Whether its client has gone. */
  isAborted: boolean;
  /** Whether nobody waits for its answer any more. */
  isLost: boolean;
}

/** A change that several operations may have made: it is known to all when all of them are over. */
export interface Claim {
  readonly change: Change;
  readonly unsettled: Unsettled | undefined;
  waitingFor: number;
  /** How many of them have not been refused. */
  makerCount: number;
}

const origin = "http://lives";

/** What goes over the wire. */
export interface Wire {
  readonly method?: "GET" | "POST" | "DELETE";
  readonly path: string;
  readonly json?: unknown;
  readonly form?: { readonly type: string; readonly bytes: Uint8Array };
  /** It is given for a key that is not the client's own. */
  readonly key?: string;
}

export function requestOf(
  { method = "GET", path, json, form, key }: Wire,
  { signal, ownKey }: { readonly signal: AbortSignal; readonly ownKey: string },
): Request {
  const headers: Record<string, string> = { authorization: `Bearer ${key ?? ownKey}` };
  let body: string | Uint8Array<ArrayBuffer> | undefined;
  if (json !== undefined) {
    headers["content-type"] = "application/json";
    body = JSON.stringify(json);
  } else if (form !== undefined) {
    headers["content-type"] = form.type;
    body = new Uint8Array(form.bytes);
  }
  return new Request(`${origin}${path}`, {
    method,
    headers,
    signal,
    ...(body === undefined ? {} : { body }),
  });
}
