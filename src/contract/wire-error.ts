/**
 * Errors on the wire, in OpenAI's envelope. `toWire` and `fromWire` are inverse up to the message's
 * cause, so that a caller over HTTP sees the code that a caller in process would.
 */
import { errorCodes, StrataError } from "../foundation/errors.ts";
import type { ErrorCode, StrataErrorOptions } from "../foundation/errors.ts";

export interface WireError {
  readonly error: {
    readonly message: string;
    readonly type: WireErrorType;
    /** The request field that is to blame. */
    readonly param: string | null;
    readonly code: string | null;
  };
}

export type WireErrorType = "invalid_request_error" | "rate_limit_error" | "server_error";

/** The codes that OpenAI's clients know, where there is one. */
const wireCodes = {
  INVALID_ARGUMENT: null,
  CONTEXT_LENGTH: "context_length_exceeded",
  UNAUTHENTICATED: "invalid_api_key",
  FORBIDDEN: "forbidden",
  NOT_FOUND: "not_found",
  METHOD_NOT_ALLOWED: "method_not_allowed",
  ALREADY_EXISTS: "already_exists",
  CONFLICT: "conflict",
  TOO_LARGE: "request_too_large",
  UNSUPPORTED_MEDIA_TYPE: "unsupported_media_type",
  TOO_SLOW: "request_timeout",
  OVERLOADED: "rate_limit_exceeded",
  CANCELLED: "cancelled",
  UNAVAILABLE: "upstream_unavailable",
  DEADLINE: "deadline_exceeded",
  CORRUPT: "corrupt",
  UNSUPPORTED: "unsupported",
  INTERNAL: "internal_error",
} as const satisfies Record<ErrorCode, string | null>;

const modelNotFound = "model_not_found";

export function toWire(error: StrataError): { readonly status: number; readonly body: WireError } {
  const status = errorCodes[error.code].httpStatus;
  const isModel = error.code === "NOT_FOUND" && error.field === "model";
  const code = isModel ? modelNotFound : wireCodes[error.code];
  const { message, field } = error;
  return { status, body: { error: { message, type: typeOf(status), param: field ?? null, code } } };
}

/**
 * The error that an answer carries. A body that is no envelope, for example a proxy's, gives the
 * code that fits its status.
 */
export function fromWire(answer: {
  readonly status: number;
  readonly body: unknown;
  readonly retryAfterMs?: number;
}): StrataError {
  const fields = record(record(answer.body)["error"]);
  const param = fields["param"];
  const options: StrataErrorOptions = {
    ...(typeof param === "string" && { field: param }),
    ...(answer.retryAfterMs !== undefined && { retryAfterMs: answer.retryAfterMs }),
  };
  const message =
    typeof fields["message"] === "string"
      ? fields["message"]
      : `Cannot read the answer: expected an error envelope, got status ${answer.status}`;
  return new StrataError(codeOf(fields["code"], answer.status), message, options);
}

function codeOf(wireCode: unknown, status: number): ErrorCode {
  if (wireCode === modelNotFound) return "NOT_FOUND";
  if (typeof wireCode === "string")
    for (const code of errorNames) if (wireCodes[code] === wireCode) return code;
  return errorNames.find((code) => errorCodes[code].httpStatus === status) ?? "UNAVAILABLE";
}

const errorNames = Object.keys(wireCodes) as ErrorCode[]; // The keys are checked by `satisfies`.

function typeOf(status: number): WireErrorType {
  if (status === 429) return "rate_limit_error";
  return status >= 500 ? "server_error" : "invalid_request_error";
}

function record(value: unknown): Record<string, unknown> {
  if (typeof value !== "object" || value === null) return {};
  return value as Record<string, unknown>; // Every object may be read by name.
}
