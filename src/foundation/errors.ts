/**
 * The one error class of Strata and its closed table of codes. Everything that the world can get
 * wrong is a `StrataError`; a bug of ours is an `AssertionError` (see `assert.ts`).
 */

interface ErrorRow {
  /** Status of the HTTP answer that carries this error. */
  readonly httpStatus: number;
  /** Whether the same call may succeed later without a change. */
  readonly retryable: boolean;
  /** Exit status of the command line. */
  readonly cliExit: number;
  readonly summary: string;
}

export const errorCodes = {
  INVALID_ARGUMENT: row(400, false, 2, "The request is malformed or outside a limit"),
  CONTEXT_LENGTH: row(400, false, 2, "A text is longer than the model's tokens"),
  UNAUTHENTICATED: row(401, false, 3, "The API key is missing or wrong"),
  FORBIDDEN: row(403, false, 4, "The caller may not do this"),
  NOT_FOUND: row(404, false, 5, "There is no such thing"),
  METHOD_NOT_ALLOWED: row(405, false, 2, "The route exists, the method does not"),
  ALREADY_EXISTS: row(409, false, 6, "The name is taken"),
  CONFLICT: row(409, false, 7, "The state does not allow this now"),
  TOO_LARGE: row(413, false, 8, "The request exceeds a size limit"),
  UNSUPPORTED_MEDIA_TYPE: row(415, false, 2, "The body has a content type that is not read here"),
  TOO_SLOW: row(408, true, 15, "The request did not arrive in time"),
  OVERLOADED: row(429, true, 9, "The wait would be too long; try again after the given time"),
  CANCELLED: row(499, false, 10, "The caller cancelled"),
  UNAVAILABLE: row(502, true, 11, "Something outside Strata cannot be reached"),
  DEADLINE: row(504, true, 12, "It took longer than the limit"),
  CORRUPT: row(500, false, 13, "Stored bytes are not what they are said to be"),
  UNSUPPORTED: row(501, false, 14, "This build or machine cannot do that"),
  INTERNAL: row(500, false, 1, "A bug in Strata"),
} as const satisfies Record<string, ErrorRow>;

export type ErrorCode = keyof typeof errorCodes;

export interface StrataErrorOptions {
  /** The request field that is to blame, as a JSON path such as `input[3]`. */
  readonly field?: string;
  /** The time, in milliseconds, after which to try a retryable call again. */
  readonly retryAfterMs?: number;
  readonly cause?: unknown;
}

/** An error of the world's making. The message says action, colon, state. */
export class StrataError extends Error {
  readonly code: ErrorCode;
  readonly field: string | undefined;
  readonly retryAfterMs: number | undefined;

  constructor(code: ErrorCode, message: string, options: StrataErrorOptions = {}) {
    super(message, options.cause === undefined ? {} : { cause: options.cause });
    this.name = "StrataError";
    this.code = code;
    this.field = options.field;
    this.retryAfterMs = options.retryAfterMs;
  }
}

/** Wraps a foreign error once, where it enters; one of ours passes through unchanged. */
export function wrapError(error: unknown, code: ErrorCode, action: string): StrataError {
  if (error instanceof StrataError) return error;
  const state = error instanceof Error ? error.message : String(error);
  return new StrataError(code, `${action}: ${state}`, { cause: error });
}

// A row of the table above reads as a row.
// oxlint-disable-next-line max-params
function row(httpStatus: number, retryable: boolean, cliExit: number, summary: string): ErrorRow {
  return { httpStatus, retryable, cliExit, summary };
}
