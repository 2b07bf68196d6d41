/** What metrics tell of sequences is what their callers are told. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { setTimeout } from "node:timers/promises";
import { systemClock } from "../foundation/clock.ts";
import { silentTelemetry, type Telemetry } from "../foundation/telemetry.ts";
import type { Lane } from "../lanes/lane.ts";
import type { Program } from "../runtime/runtime.ts";
import { Graph } from "../tensor/tensor.ts";
import { AdapterPool } from "./adapter-pool.ts";
import { Engine } from "./engine.ts";
import { Workers } from "./workers.ts";

const program: Program = {
  run: async () => ({}),
  write: () => assert.fail("nothing is written"),
  read: () => assert.fail("nothing is read"),
  release: () => Promise.resolve(),
};

const laneProgram = { graph: new Graph(), constants: new Map() };
const lane: Lane<string> = {
  key: "echo",
  msPerToken: 0.001,
  form: "dense",
  adapters: [],
  programFor: () => laneProgram,
  feeds: () => ({}),
  answers: (_, rows) => rows.map(() => "answered"),
};

test("the wait for a program is told as load, to the metrics as to the caller", async () => {
  const observed: Record<string, number[]> = {};
  const metrics: Telemetry["metrics"] = {
    count() {},
    set() {},
    observe: (name, value) => void (observed[name] ??= []).push(value),
  };
  const load = async (): Promise<Program> => {
    await setTimeout(30);
    return program;
  };
  const workers = new Workers([{ prepare() {}, load, close: () => Promise.resolve() }]);
  const pool = new AdapterPool({
    bytes: 1_024,
    load: () => assert.fail("nothing is loaded"),
    metrics: silentTelemetry.metrics,
  });
  const telemetry = { ...silentTelemetry, metrics };
  const engine = new Engine({ workers, pool, clock: systemClock, telemetry });
  const none = { pooling: "mean", adapter: undefined, outputCount: 0 } as const;
  const request = {
    lane,
    flow: { id: "a", weight: 1, deadlineMs: 1_000 },
    row: { ...none, ids: new Int32Array(3) },
    weights: undefined,
  };
  const answers = await Promise.all(engine.submit([request, request]));
  for (const { loadMs, queueMs } of answers) assert.ok(loadMs >= 25 && queueMs < loadMs);
  assert.deepEqual(
    observed["strata_load_seconds"],
    answers.map(({ loadMs }) => loadMs / 1000),
  );
  assert.deepEqual(
    observed["strata_queue_seconds"],
    answers.map(({ queueMs }) => queueMs / 1000),
  );
});
