import assert from "node:assert/strict";
import { AssertionError } from "node:assert";
import { describe, it } from "node:test";
import { advance, isFinished, type Job, type JobStatus } from "./job.ts";

const job: Job = {
  id: "ftjob-1",
  requestedModel: "base",
  model: undefined,
  incarnation: "vplm-1",
  suffix: undefined,
  trainingFile: "file-1",
  validationFile: undefined,
  hyperparameters: {},
  seed: 0,
  metadata: {},
  status: "queued",
  error: undefined,
  trainedTokens: undefined,
  createdAt: 5,
  finishedAt: undefined,
};

/**
 * The ones that may follow each status, as OpenAI's jobs go, and back to the queue after a crash.
 */
const followers: Readonly<Record<JobStatus, readonly JobStatus[]>> = {
  validating_files: ["queued", "failed", "cancelled"],
  queued: ["running", "failed", "cancelled"],
  running: ["succeeded", "failed", "cancelled", "queued"],
  succeeded: [],
  failed: [],
  cancelled: [],
};
const statuses = Object.keys(followers) as JobStatus[]; // the record's own keys

describe("a job", () => {
  for (const from of statuses)
    it(`goes from ${from} to ${followers[from].join(", ") || "nothing"}`, () => {
      for (const to of statuses) {
        const go = (): Job => advance({ ...job, status: from }, to);
        if (followers[from].includes(to)) assert.deepEqual(go(), { ...job, status: to });
        else assert.throws(go, AssertionError);
      }
    });

  it("takes changes along, but no other status than the one it goes to", () => {
    const change = { finishedAt: 9, status: "succeeded" } as const;
    const ended = advance(job, "cancelled", change);
    assert.deepEqual(ended, { ...job, finishedAt: 9, status: "cancelled" });
    assert.equal(job.status, "queued");
  });

  it("is finished when nothing follows", () => {
    const finished = statuses.filter(isFinished);
    assert.deepEqual(finished, ["succeeded", "failed", "cancelled"]);
  });
});
