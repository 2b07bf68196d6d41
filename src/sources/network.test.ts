/** Waiting for another try. */
import assert from "node:assert/strict";
import { getEventListeners } from "node:events";
import { test } from "node:test";
import { systemClock } from "../foundation/clock.ts";
import { silentTelemetry } from "../foundation/telemetry.ts";
import { pause } from "./network.ts";

test("a pause leaves no listener, and ends with its signal", async () => {
  const abort = new AbortController();
  const { signal } = abort;
  const outside = {
    fetch,
    clock: systemClock,
    telemetry: silentTelemetry,
    environment: {},
    signal,
  };
  await pause(outside, 0);
  assert.deepEqual(getEventListeners(signal, "abort"), []);
  const long = pause(outside, 2 ** 30);
  abort.abort();
  await assert.rejects(long, { code: "CANCELLED" });
});
