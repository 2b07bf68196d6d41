import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import { describe, test } from "node:test";
import fc from "fast-check";
import { StrataError } from "../foundation/errors.ts";
import { parseTrace } from "./trace-file.ts";

const azure = "../shared/cases/traces/azure-llm-code.csv";

describe("parseTrace", () => {
  test("reads seconds and models in any order, from the first request on", () => {
    const { kind, sources } = parseTrace("seconds,model\n12.5,a\n10,b\n\n11,a\n", "t.csv");
    assert.equal(kind, "times");
    assert.deepEqual(sources, [
      { name: "a", line: 2, values: [1, 2.5] },
      { name: "b", line: 3, values: [0] },
    ]);
  });

  test("reads dates to the fraction, with Windows line ends and a byte order mark", () => {
    const text =
      "\ufeffTIMESTAMP,ContextTokens\r\n2023-11-16 18:17:03.9799600,4808\r\n" +
      "2023-11-16T18:17:04.0319600Z,3180\r\n2023-11-16 19:17:05+01:00,1\r\n";
    const [source, ...others] = parseTrace(text, "t.csv").sources;
    assert.equal(others.length, 0);
    assert.equal(source?.name, undefined);
    const rounded = source?.values.map((value) => Math.round(value * 1e5) / 1e5);
    assert.deepEqual(rounded, [0, 0.052, 1.02004]);
  });

  test("reads counts by minute", () => {
    const text = "HashFunction,Trigger,1,2,3\nf,http,0,2,1\ng,queue,4,0,0\n";
    assert.deepEqual(parseTrace(text, "t.csv"), {
      kind: "counts",
      sources: [
        { name: "f", line: 2, values: [0, 2, 1] },
        { name: "g", line: 3, values: [4, 0, 0] },
      ],
    });
  });

  for (const [name, text, message] of [
    ["nothing", "", /line 1: expected a header/],
    ["another header", "when,who\n1,a\n", /line 1: expected a header such as "seconds,model"/],
    ["no requests", "seconds,model\n", /line 2: expected a request/],
    ["NaN", "seconds,model\n1,a\nNaN,a\n", /line 3: expected seconds or a time, got "NaN"/],
    ["a negative time", "seconds,model\n-1,a\n", /line 2: .*got "-1"/],
    ["an endless time", "seconds,model\n1e999,a\n", /line 2: .*got "1e999"/],
    [
      "an impossible date",
      "timestamp\n2023-13-45 00:00:00\n",
      /line 2: expected seconds or a time/,
    ],
    ["a line of another length", "seconds,model\n1,a,x\n", /line 2: expected 2 cells .* got 3/],
    ["half a request", "function,1,2\nf,1,0.5\n", /line 2: expected a count .* got "0.5"/],
    ["a hole", "function,1,2\nf,1,\n", /line 2: expected a count of requests, got ""/],
  ] as const)
    test(`names the line of ${name}`, () => {
      assert.throws(() => parseTrace(text, "t.csv"), { code: "INVALID_ARGUMENT", message });
    });

  test("more requests than the limit are TOO_LARGE", () => {
    const error = { code: "TOO_LARGE", message: /has more than 5000000 requests/ };
    assert.throws(() => parseTrace("function,1\nf,5000001\n", "t.csv"), error);
  });

  test("any text is read or refused, and never breaks", () => {
    const cell = fc.oneof(
      fc.constantFrom("seconds", "model", "timestamp", "1", "minute_2", "0", "1e9", "-0", "a"),
      fc.string(),
    );
    const line = fc.array(cell, { maxLength: 4 }).map((cells) => cells.join(","));
    const text = fc.array(line).map((lines) => lines.join("\n"));
    const headed = text.map((rest) => `seconds,model\n${rest}`);
    fc.assert(
      fc.property(fc.oneof(text, headed), (source) => {
        try {
          const { kind, sources } = parseTrace(source, "t.csv");
          const values = sources.flatMap((one) => one.values);
          assert.ok(values.every((value) => value >= 0 && value < Infinity));
          if (kind === "times") assert.equal(Math.min(...values), 0);
        } catch (error) {
          assert.ok(error instanceof StrataError, String(error));
        }
      }),
      { numRuns: 500 },
    );
  });

  test("reads a public trace", (context) => {
    if (!existsSync(azure)) return context.skip("the trace is not here");
    const { sources } = parseTrace(readFileSync(azure, "utf8"), azure);
    assert.equal(sources.length, 1);
    assert.equal(sources[0]?.values.length, 8819);
    const last = sources[0]?.values.at(-1) ?? 0;
    assert.ok(last > 3300 && last < 3600, `${last}`);
  });
});
