import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { schedule } from "../scheduling/schedule.ts";
import { FairQueue, type Queued } from "./fair-queue.ts";

const limits = { tokensMax: 512, sequencesMax: 64 };

interface Made {
  readonly weight?: number;
  readonly tokenCount?: number;
  /** A lane's tokens take as long as its key says, in milliseconds. */
  readonly lane?: string;
}

/** A new sequence of the flow, not queued yet. */
function sequenceOf(queue: FairQueue<Queued>, id: string, made: Made = {}): Queued {
  const { weight = 1, tokenCount = 10, lane = "1" } = made;
  const flow = { id, weight, deadlineMs: 1_000 };
  const workMs = tokenCount * Number(lane);
  return { flow, lane: { key: lane }, tokenCount, workMs, tag: queue.nextTag(flow) };
}

/** Queues sequences of one flow; returns them. */
function fill(
  queue: FairQueue<Queued>,
  id: string,
  made: Made & { readonly count: number },
): readonly Queued[] {
  return Array.from({ length: made.count }, () => {
    const sequence = sequenceOf(queue, id, made);
    queue.add(sequence);
    return sequence;
  });
}

function takeBatch(
  queue: FairQueue<Queued>,
  isReady?: (sequence: Queued) => boolean,
): readonly Queued[] {
  const batch = schedule(queue.waiting, limits, isReady);
  queue.take(batch);
  return batch;
}

function workOf(batch: readonly Queued[], id: string): number {
  return batch.reduce((sum, { flow, workMs }) => sum + (flow.id === id ? workMs : 0), 0);
}

describe("the fair queue", () => {
  it("gives flows that always wait shares of time as they weigh, whatever their lanes are", () => {
    const flows = fc.array(
      fc.record({
        weight: fc.integer({ min: 1, max: 8 }),
        tokenCount: fc.integer({ min: 32, max: 128 }),
        lane: fc.constantFrom("1", "2", "4"),
      }),
      { minLength: 2, maxLength: 6 },
    );
    fc.assert(
      fc.property(flows, (all) => {
        const queue = new FairQueue<Queued>();
        const served = all.map(() => 0);
        let sum = 0;
        const totalMs = 400_000;
        while (sum < totalMs) {
          for (const [index, flow] of all.entries()) {
            // More than the largest batch takes, of 512 tokens of the slowest lane.
            const ofFlow = queue.waiting.filter((one) => one.flow.id === `${index}`);
            if (workOf(ofFlow, `${index}`) < 4_000) fill(queue, `${index}`, { ...flow, count: 64 });
          }
          const batch = takeBatch(queue);
          for (const index of all.keys())
            served[index] = (served[index] ?? 0) + workOf(batch, `${index}`);
          sum += batch.reduce((total, { workMs }) => total + workMs, 0);
        }
        const weightSum = all.reduce((total, { weight }) => total + weight, 0);
        for (const [index, { weight }] of all.entries()) {
          const share = (served[index] ?? 0) / sum;
          const error = Math.abs(share - weight / weightSum);
          assert.ok(error < 0.03, `${share} of the time for weight ${weight} of ${weightSum}`);
        }
      }),
      { numRuns: 20 },
    );
  });

  it("lets no lane and no flow starve beside others that come anew all the time", () => {
    const queue = new FairQueue<Queued>();
    const patient = fill(queue, "patient", { count: 400, lane: "4" });
    let batchCount = 0;
    while (queue.waiting.some((sequence) => patient.includes(sequence))) {
      for (let flow = 0; flow < 4; flow++) fill(queue, `${batchCount} ${flow}`, { count: 8 });
      takeBatch(queue);
      batchCount += 1;
      assert.ok(batchCount < 1_000, "the patient flow starves");
    }
  });

  it("makes nobody pay for what a flow could not use while its weights were loaded", () => {
    const queue = new FairQueue<Queued>();
    const parked = new Set(fill(queue, "parked", { count: 500 }));
    const isReady = (sequence: Queued): boolean => !parked.has(sequence);
    const batchesOf = (count: number, ready?: typeof isReady): readonly Queued[] =>
      Array.from({ length: count }, () => {
        fill(queue, "busy", { count: 64 });
        return takeBatch(queue, ready);
      }).flat();
    const meanwhile = batchesOf(40, isReady);
    assert.equal(workOf(meanwhile, "parked"), 0);
    queue.restart(parked);
    const after = batchesOf(10);
    const [mine, others] = [workOf(after, "parked"), workOf(after, "busy")];
    assert.ok(mine > 0.4 * (mine + others) && mine < 0.6 * (mine + others), `${mine}, ${others}`);
    // Not the other way round either: its turns go on where they are.
    assert.ok(queue.waiting.every(({ tag }, place, all) => tag >= (all[place - 1]?.tag ?? 0)));
  });

  it("charges a flow nothing for what it withdraws", () => {
    const queue = new FairQueue<Queued>();
    fill(queue, "other", { count: 10 });
    const withdrawn = new Set(fill(queue, "a", { count: 50, weight: 2 }));
    assert.equal(queue.withdraw(withdrawn).length, 50);
    assert.deepEqual(queue.withdraw(withdrawn), []);
    assert.equal(sequenceOf(queue, "a").tag, 0);
    assert.equal(queue.otherWeight({ id: "a", weight: 2, deadlineMs: 0 }), 1);
  });

  it("puts what did not run back in its old place", () => {
    const queue = new FairQueue<Queued>();
    const sequences = fill(queue, "a", { count: 100 });
    const batch = takeBatch(queue);
    assert.equal(batch.length, 51);
    for (const sequence of batch.toReversed()) queue.putBack(sequence);
    assert.deepEqual(queue.waiting, sequences);
  });
});
