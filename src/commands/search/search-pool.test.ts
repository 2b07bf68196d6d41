import assert from "node:assert/strict";
import { test } from "node:test";
import { systemClock } from "../../foundation/clock.ts";
import { drawArrivals, steadyDemand } from "../../placement/demand.ts";
import type { Planning } from "../../placement/judge.ts";
import { idealProfile, type Unit } from "../../placement/placement.ts";
import { search, type SearchResult } from "../../placement/search/search.ts";
import { SearchPool } from "./search-pool.ts";

function planningOf(): Planning {
  const units = Array.from({ length: 5 }, (_, index): Unit => ({
    name: `m${index}`,
    tokenCount: 1,
    profiles: [[0.4], [0.22, 0.2]].map((stageSeconds) => ({
      configuration: { intraOp: 1, stageCount: stageSeconds.length },
      latencies: [{ batchSize: 1, tokenCount: 1, stageSeconds }],
      stageBytes: stageSeconds.map(() => 2 / stageSeconds.length),
    })),
  }));
  const nodes = [{ name: "n", deviceCount: 4, deviceBytes: 3 }];
  const objective = { deadlineSeconds: units.map(() => 1), attainment: 1 };
  const problem = { units, cluster: { nodes, linkSeconds: 0 }, objective };
  const loads = units.map((_, index) => ({ rate: 2 / (index + 1), cv: 4 }));
  const arrivals = drawArrivals(steadyDemand(loads, 100), 5);
  return { problem, arrivals, profile: idealProfile };
}

async function searchWith(workerCount: number): Promise<SearchResult> {
  const planning = planningOf();
  const pool = new SearchPool(planning, workerCount);
  try {
    return await search(planning, { clock: systemClock, roundCount: 2, runTask: pool.run });
  } finally {
    await pool.close();
  }
}

test("one worker, two workers and none find the same plan", async () => {
  const alone = await search(planningOf(), { clock: systemClock, roundCount: 2 });
  for (const workerCount of [1, 2]) {
    const { plan, runCount, attainment } = await searchWith(workerCount);
    assert.deepEqual(plan, alone.plan, `${workerCount} workers`);
    assert.deepEqual([runCount, attainment], [alone.runCount, alone.attainment]);
  }
});

test("what a task throws is the error of the search", async () => {
  const planning = planningOf();
  const pool = new SearchPool(planning, 1);
  const group = { configuration: { intraOp: 9, stageCount: 9 }, devices: [], deviceBytes: 0 };
  const groups = [{ ...group, linkSeconds: [], units: [0] }];
  await assert.rejects(pool.run({ kind: "select", groups, units: [0] }), /INTERNAL|unit 0/);
  await pool.close();
});
