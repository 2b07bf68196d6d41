/** Events that the store does not take. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { operator } from "../entities/caller.ts";
import { systemClock } from "../foundation/clock.ts";
import { systemIds } from "../foundation/random.ts";
import { type Log, silentTelemetry } from "../foundation/telemetry.ts";
import { createMemoryStore } from "../storage/memory/memory-store.ts";
import { type JobKey, JobLog } from "./job-log.ts";

test("a job whose events are lost is told once, until its status changes", async () => {
  const jobs: unknown[] = [];
  const error: Log["error"] = (_, fields) => void jobs.push(fields?.["job"]);
  const telemetry = { ...silentTelemetry, log: { ...silentTelemetry.log, error } };
  const key = (id: string): JobKey => ({ tenant: operator.tenant, id });
  const first = key("ftjob-1");
  // The store has no job: it refuses each event.
  const store = createMemoryStore();
  const jobLog = new JobLog({ store, clock: systemClock, ids: systemIds, telemetry });
  for (let step = 1; step <= 40; step++)
    jobLog.say(first, "Step", { type: "metrics", values: { step } });
  jobLog.say(key("ftjob-2"), "Created");
  await jobLog.flush();
  assert.deepEqual(jobs, ["ftjob-1", "ftjob-2"]);
  jobLog.changed(first);
  jobLog.say(first, "Again");
  await jobLog.flush();
  assert.deepEqual(jobs, ["ftjob-1", "ftjob-2", "ftjob-1"]);
});
