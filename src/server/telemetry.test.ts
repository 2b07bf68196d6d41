import assert from "node:assert/strict";
import { test } from "node:test";
import { createTelemetry, logLevelOf } from "./telemetry.ts";

test("metrics are told in Prometheus' text format", async () => {
  const { metrics, metricsText } = createTelemetry("silent");
  metrics.count("strata_http_requests_total", { route: "/v1/classify", status: "200" });
  metrics.count("strata_http_requests_total", { route: "/v1/classify", status: "200" }, 2);
  metrics.set("strata_models", 7);
  metrics.observe("strata_batch_sequences", 5);
  const text = await metricsText();
  assert.match(text, /^strata_http_requests_total\{route="\/v1\/classify",status="200"\} 3$/m);
  assert.match(text, /^strata_models 7$/m);
  assert.match(text, /^strata_batch_sequences_bucket\{le="4"\} 0$/m);
  assert.match(text, /^strata_batch_sequences_bucket\{le="8"\} 1$/m);
});

test("a metric is recorded by its kind only", () => {
  const { metrics } = createTelemetry("silent");
  assert.throws(() => metrics.set("strata_batch_sequences", 1), /it is a histogram/);
});

test("a log level is one of a list", () => {
  assert.equal(logLevelOf(undefined), "warn");
  assert.equal(logLevelOf("debug"), "debug");
  assert.throws(() => logLevelOf("loud"), { code: "INVALID_ARGUMENT", message: /got "loud"/ });
});
