import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { errorCodes, StrataError, wrapError } from "./errors.ts";

const rows = Object.entries(errorCodes);

describe("the table of errors", () => {
  it("gives each way to fail an exit status of its own; 2 is for any misuse", () => {
    const byExit = new Map<number, string[]>();
    for (const [code, { cliExit }] of rows)
      byExit.set(cliExit, [...(byExit.get(cliExit) ?? []), code]);
    const shared = [...byExit].filter(([, codes]) => codes.length > 1);
    assert.deepEqual(
      shared.map(([exit]) => exit),
      [2],
    );
    for (const [code, { cliExit, httpStatus }] of rows) {
      assert.ok(Number.isInteger(cliExit) && cliExit > 0 && cliExit < 64, code);
      if (cliExit === 2) assert.ok(httpStatus >= 400 && httpStatus < 500, code);
    }
  });

  it("answers no client's fault with a 5xx, and overload with 429", () => {
    const server = rows.filter(([, { httpStatus }]) => httpStatus >= 500).map(([code]) => code);
    const expected = ["CORRUPT", "DEADLINE", "INTERNAL", "UNAVAILABLE", "UNSUPPORTED"];
    assert.deepEqual(server.toSorted(), expected);
    assert.equal(errorCodes.OVERLOADED.httpStatus, 429);
    assert.equal(errorCodes.NOT_FOUND.httpStatus, 404);
    assert.ok(rows.every(([, { httpStatus }]) => httpStatus !== 503));
  });

  it("says of few that trying again helps, and of each what it means", () => {
    const retryable = rows.filter(([, row]) => row.retryable).map(([code]) => code);
    assert.deepEqual(retryable.toSorted(), ["DEADLINE", "OVERLOADED", "TOO_SLOW", "UNAVAILABLE"]);
    assert.equal(new Set(rows.map(([, { summary }]) => summary)).size, rows.length);
  });
});

describe("a foreign error", () => {
  it("is wrapped once, with its cause", () => {
    const cause = new TypeError("no such host");
    const wrapped = wrapError(cause, "UNAVAILABLE", "Cannot pull");
    assert.equal(wrapped.message, "Cannot pull: no such host");
    assert.equal(wrapped.code, "UNAVAILABLE");
    assert.equal(wrapped.cause, cause);
    assert.equal(wrapError(wrapped, "INTERNAL", "Cannot do more"), wrapped);
    assert.equal(wrapError("text", "CORRUPT", "Cannot read").message, "Cannot read: text");
  });

  it("carries field and time to retry only when they are given", () => {
    const plain = new StrataError("OVERLOADED", "m");
    assert.deepEqual(
      [plain.field, plain.retryAfterMs, "cause" in plain],
      [undefined, undefined, false],
    );
    const full = new StrataError("OVERLOADED", "m", { field: "input[1]", retryAfterMs: 5 });
    assert.deepEqual([full.field, full.retryAfterMs, full.name], ["input[1]", 5, "StrataError"]);
  });
});
