import assert from "node:assert/strict";
import { test } from "node:test";
import { type ErrorCode, errorCodes, StrataError } from "../foundation/errors.ts";
import { fromWire, toWire } from "./wire-error.ts";

test("every error comes back as it was", () => {
  const codes = Object.keys(errorCodes) as ErrorCode[]; // The table's own keys.
  for (const code of codes) {
    const { status, body } = toWire(new StrataError(code, "Cannot do it: no", { field: "a[1]" }));
    assert.equal(status, errorCodes[code].httpStatus);
    const back = fromWire({ status, body, retryAfterMs: 5 });
    assert.deepEqual([back.code, back.message, back.field], [code, "Cannot do it: no", "a[1]"]);
    assert.equal(back.retryAfterMs, 5);
  }
});

test("OpenAI's names stand for what its clients branch on", () => {
  const wire = (code: ErrorCode, field?: string) =>
    toWire(new StrataError(code, "m", field === undefined ? {} : { field })).body.error;
  const common = { message: "m", param: null };
  const invalid = { ...common, type: "invalid_request_error" };
  assert.deepEqual(wire("UNAUTHENTICATED"), { ...invalid, code: "invalid_api_key" });
  assert.deepEqual(wire("INVALID_ARGUMENT"), { ...invalid, code: null });
  assert.deepEqual(wire("CONTEXT_LENGTH"), { ...invalid, code: "context_length_exceeded" });
  const model = { ...invalid, param: "model", code: "model_not_found" };
  assert.deepEqual(wire("NOT_FOUND", "model"), model);
  const overloaded = { ...common, type: "rate_limit_error", code: "rate_limit_exceeded" };
  assert.deepEqual(wire("OVERLOADED"), overloaded);
  assert.equal(wire("INTERNAL").type, "server_error");
});

test("answers that are no envelope give the code of their status", () => {
  const codes = new Map<number, ErrorCode>([
    [400, "INVALID_ARGUMENT"],
    [404, "NOT_FOUND"],
    [413, "TOO_LARGE"],
    [429, "OVERLOADED"],
    [418, "UNAVAILABLE"],
    [503, "UNAVAILABLE"],
  ]);
  for (const [status, code] of codes)
    for (const body of [undefined, null, "<html>", { error: "text" }, { error: { code: 3 } }])
      assert.equal(fromWire({ status, body }).code, code);
});
