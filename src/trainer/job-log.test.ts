/** Events that the store does not take. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { systemClock } from "../foundation/clock.ts";
import { systemIds } from "../foundation/random.ts";
import { type Log, silentTelemetry } from "../foundation/telemetry.ts";
import { createMemoryStore } from "../storage/memory/memory-store.ts";
import { JobLog } from "./job-log.ts";

test("a job whose events are lost is told once, until its status changes", async () => {
  const jobs: unknown[] = [];
  const error: Log["error"] = (_, fields) => void jobs.push(fields?.["job"]);
  const telemetry = { ...silentTelemetry, log: { ...silentTelemetry.log, error } };
  // The store has no job: it refuses each event.
  const store = createMemoryStore();
  const jobLog = new JobLog({ store, clock: systemClock, ids: systemIds, telemetry });
  for (let step = 1; step <= 40; step++) jobLog.say("ftjob-1", "Step", { step });
  jobLog.say("ftjob-2", "Created");
  await jobLog.flush();
  assert.deepEqual(jobs, ["ftjob-1", "ftjob-2"]);
  jobLog.changed("ftjob-1");
  jobLog.say("ftjob-1", "Again");
  await jobLog.flush();
  assert.deepEqual(jobs, ["ftjob-1", "ftjob-2", "ftjob-1"]);
});
