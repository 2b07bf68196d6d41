import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { StrataError } from "../foundation/errors.ts";
import { SeededRandom } from "../foundation/random.ts";
import type { Flow } from "../scheduling/flow.ts";
import { schedule, workOf } from "../scheduling/schedule.ts";
import { FairQueue, type Queued } from "./fair-queue.ts";
import { Places } from "./places.ts";

const batchLimits = { tokensMax: 512, sequencesMax: 64 };
const lane = { key: "a" };
const msPerToken = 0.05;
const workerCount = 2;
const bulkCount = 64;
/** One request in twenty is a bulk; a text has 8 to 127 tokens. */
const bulkShare = 0.05;
const meanWorkMs = msPerToken * 67.5 * (1 + bulkShare * (bulkCount - 1));

interface Admitted {
  readonly flow: Flow;
  readonly arrivedMs: number;
  /** What it takes the workers when nobody else asks. */
  readonly ownMs: number;
  leftCount: number;
  finishedMs: number;
}

interface Asked extends Queued {
  readonly request: Admitted;
}

interface Load {
  readonly flows: readonly Flow[];
  /** Work that is asked for, over what the workers can do. */
  readonly factor: number;
  readonly seed: number;
  readonly durationMs: number;
}

/** Admission, order and workers that take exactly the foreseen time, over virtual time. */
class Simulation {
  readonly #load: Load;
  readonly #random: SeededRandom;
  readonly #queue = new FairQueue<Asked>();
  readonly #places = new Places();
  readonly #running = new Set<{ readonly endMs: number; readonly batch: readonly Asked[] }>();
  readonly admitted: Admitted[] = [];
  refusedCount = 0;
  /** What the workers have done. */
  doneMs = 0;
  #nowMs = 0;

  constructor(load: Load) {
    this.#load = load;
    this.#random = new SeededRandom(load.seed);
  }

  run(): this {
    let arrivalMs = 0;
    while (this.#nowMs < this.#load.durationMs) {
      this.#step();
      this.#nowMs = Math.min(arrivalMs, ...[...this.#running].map(({ endMs }) => endMs));
      for (const run of this.#running) if (run.endMs <= this.#nowMs) this.#end(run);
      if (this.#nowMs < arrivalMs) continue;
      this.#arrive();
      const rate = (this.#load.factor * workerCount) / meanWorkMs;
      arrivalMs -= Math.log(1 - this.#random.uniform()) / rate;
    }
    return this;
  }

  #step(): void {
    while (this.#running.size < workerCount) {
      const batch = schedule(this.#queue.waiting, batchLimits);
      if (batch.length === 0) return;
      this.#queue.take(batch);
      this.#running.add({ endMs: this.#nowMs + workOf(batch), batch });
      this.doneMs += workOf(batch);
    }
  }

  #end(run: { readonly endMs: number; readonly batch: readonly Asked[] }): void {
    this.#running.delete(run);
    for (const { request } of run.batch) {
      request.leftCount -= 1;
      if (request.leftCount === 0) request.finishedMs = this.#nowMs;
    }
  }

  #arrive(): void {
    const { flows } = this.#load;
    const flow = flows[this.#random.integer(flows.length)];
    assert.ok(flow !== undefined);
    const count = this.#random.uniform() < bulkShare ? bulkCount : 1;
    const lengths = Array.from({ length: count }, () => 8 + this.#random.integer(120));
    const tokenCount = lengths.reduce((sum, length) => sum + length, 0);
    if (!this.#isAdmitted(flow, count, tokenCount)) {
      this.refusedCount += 1;
      return;
    }
    const ownMs = (tokenCount * msPerToken) / workerCount;
    const request = { flow, arrivedMs: this.#nowMs, ownMs, leftCount: count, finishedMs: NaN };
    this.admitted.push(request);
    for (const length of lengths)
      this.#queue.add({
        ...{ request, flow, lane },
        tokenCount: length,
        workMs: length * msPerToken,
        tag: this.#queue.nextTag(flow),
      });
  }

  #isAdmitted(flow: Flow, sequenceCount: number, tokenCount: number): boolean {
    let runningMs = 0;
    for (const { batch } of this.#running) runningMs += workOf(batch);
    const view = {
      waiting: this.#queue.waiting,
      virtualTime: this.#queue.virtualTime,
      nextTag: this.#queue.nextTag(flow),
      otherWeight: this.#queue.otherWeight(flow),
      ...{ runningMs, workerCount, nowMs: this.#nowMs },
    };
    try {
      this.#places.take({ flow, sequenceCount, tokenCount, msPerToken }, view).leave();
      return true;
    } catch (error) {
      assert.ok(error instanceof StrataError && error.code === "OVERLOADED");
      return false;
    }
  }
}

function flowsWith(deadlineMs: (index: number) => number): readonly Flow[] {
  return Array.from({ length: 40 }, (_, index) => ({
    id: `${index}`,
    weight: [1, 2, 8][index % 3] ?? 1,
    deadlineMs: deadlineMs(index),
  }));
}

/** How long after their deadline requests were answered; `paceOf` is what does not count. */
function lateness(
  admitted: readonly Admitted[],
  paceOf: (request: Admitted) => number,
): readonly number[] {
  return admitted
    .filter(({ leftCount }) => leftCount === 0)
    .map((one) => one.finishedMs - one.arrivedMs - paceOf(one) - one.flow.deadlineMs);
}

describe("a request that was admitted", () => {
  for (const factor of [0.9, 1.5, 3]) {
    const flows = flowsWith((index) => [2_000, 500][index % 2] ?? 0);
    const weightSum = flows.reduce((sum, { weight }) => sum + weight, 0);

    it(`is answered within its flow's deadline at ${factor} times the capacity`, () => {
      const { admitted, refusedCount, doneMs } = new Simulation({
        ...{ flows, factor, seed: 7, durationMs: 60_000 },
      }).run();
      // Texts by themselves hardly know that others bring bulks.
      const singles = admitted.filter(({ ownMs }) => ownMs < 10);
      const late = lateness(singles, ({ ownMs }) => ownMs).filter((ms) => ms > 0);
      assert.ok(late.length <= singles.length / 1_000, `${late.length} of ${singles.length}`);
      // And a bulk goes at its flow's share, as if all others were busy all the time.
      const pace = ({ flow, ownMs }: Admitted): number => (ownMs * weightSum) / flow.weight;
      assert.ok(Math.max(...lateness(admitted, pace)) <= 0);
      // It costs nothing: the workers are as busy as they can be.
      if (factor < 1) return;
      assert.ok(refusedCount > 0);
      assert.ok(doneMs > 0.97 * 60_000 * workerCount, `${doneMs}`);
    });
  }

  it("would not be without admission, and some would wait for seconds", () => {
    const load = { factor: 2, seed: 7, durationMs: 6_000 };
    const { admitted } = new Simulation({ ...load, flows: flowsWith(() => Infinity) }).run();
    const waits = admitted.filter(({ leftCount }) => leftCount === 0);
    const longest = Math.max(...waits.map((one) => one.finishedMs - one.arrivedMs));
    assert.ok(longest > 2_500, `${longest}`);
  });
});
