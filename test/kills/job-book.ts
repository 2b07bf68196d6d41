/** The jobs that were acknowledged, and how those ended that were seen to end. */
import assert from "node:assert/strict";
import type { Client } from "../../src/client/client.ts";
import type { CreateJob, FineTuningJob } from "../../src/contract/fine-tuning.ts";
import { systemClock } from "../../src/foundation/clock.ts";

export class JobBook {
  readonly #jobs = new Map<string, FineTuningJob>();

  get count(): number {
    return this.#jobs.size;
  }

  get succeededCount(): number {
    return [...this.#jobs.values()].filter(({ status }) => status === "succeeded").length;
  }

  async submit(client: Client, body: CreateJob): Promise<FineTuningJob> {
    const job = await client.createJob(body);
    this.#jobs.set(job.id, job);
    return job;
  }

  /** The job now; what has ended stays as it ended. */
  async look(client: Client, id: string): Promise<FineTuningJob> {
    const before = this.#jobs.get(id);
    const job = await client.job(id);
    if (before !== undefined && before.finished_at !== null) assert.deepEqual(job, before);
    this.#jobs.set(id, job);
    return job;
  }

  /** Every job that was acknowledged is there, with what it has said. */
  async check(client: Client): Promise<void> {
    for (const id of this.#jobs.keys()) await this.look(client, id);
    for await (const { id } of client.jobs()) {
      const query = { limit: 1 };
      const said = await client.call("GET /v1/fine_tuning/jobs/{id}/events", {
        params: { id },
        query,
      });
      assert.equal(said.data.length, 1, `job ${id} has never said anything`);
    }
  }

  /** All jobs come to an end; none fails but for a model that was deleted under it. */
  async settle(client: Client): Promise<void> {
    for (const id of this.#jobs.keys()) {
      await client.waitForJob(id, { clock: systemClock, pollMs: 50 });
      const { status, error } = await this.look(client, id);
      if (status === "failed") assert.match(error?.message ?? "", /deleted|does not exist/);
      else assert.ok(status === "succeeded" || status === "cancelled", status);
    }
  }
}
