/**
 * The simulator of dynamic batching: a request runs at once if the group with the earliest clock
 * is idle and otherwise waits in its unit's queue; a group whose first stage frees takes the unit
 * whose first request is oldest, and of it the largest profiled batch that answers the first one
 * in time (AlpaServe, section 6.5). Batches are not padded, and a request that cannot make it is
 * dropped.
 */
import { present } from "../../foundation/assert.ts";
import { admit, dispatch } from "../../scheduling/dispatch.ts";
import { Agenda } from "./agenda.ts";
import { rounding, stageTimes } from "./kernel.ts";
import type { KernelInput, Layout } from "./kernel.ts";
import { type Outcomes, profileOf } from "../placement.ts";

export interface BatchingInput extends KernelInput {
  readonly layouts: readonly Layout[];
}

export function simulateBatching(input: BatchingInput): Outcomes {
  const run = new BatchingRun(input);
  return run.outcomes;
}

interface BatchTime {
  readonly batchSize: number;
  readonly stageSeconds: readonly number[];
}

interface BatchingGroup {
  readonly index: number;
  /** The times of each unit on it, by batch size ascending. */
  readonly batches: ReadonlyMap<number, readonly BatchTime[]>;
  clocks: readonly number[];
  isIdle: boolean;
}

/** Owns the queues and clocks of one simulation. */
class BatchingRun {
  readonly outcomes: Outcomes;
  readonly #agenda = new Agenda();
  readonly #arrivals: KernelInput["arrivals"];
  readonly #deadlines: readonly number[];
  readonly #fixedSeconds: number;
  readonly #groups: readonly BatchingGroup[];
  /** Requests that wait, oldest first, by unit. */
  readonly #queues: number[][];

  constructor(input: BatchingInput) {
    const { arrivals, units, profile, layouts } = input;
    const count = arrivals.seconds.length;
    this.outcomes = {
      isGood: new Uint8Array(count),
      finishSeconds: arrivals.seconds.slice(),
      groups: new Int32Array(count).fill(-1),
    };
    this.#arrivals = arrivals;
    this.#deadlines = input.deadlineSeconds.map(rounding(profile));
    this.#fixedSeconds = profile.receiveSeconds + profile.dispatchSeconds + profile.startSeconds;
    this.#groups = layouts.map((layout, index) => batchingGroup(layout, index, input));
    this.#queues = units.map(() => []);
    for (const [request, seconds] of arrivals.seconds.entries())
      this.#agenda.at(seconds, () => this.#arrive(request));
    this.#agenda.run();
  }

  #arrive(request: number): void {
    const unit = this.#arrivals.units[request] ?? 0;
    const hosts = this.#groups.filter((group) => group.batches.has(unit));
    const group = dispatch(hosts, ({ clocks }) => clocks.at(-1) ?? 0);
    if (group === undefined) return;
    this.#queues[unit]?.push(request);
    if (group.isIdle) this.#take(group);
  }

  /** Starts the next batch on a group whose first stage is free; it is idle if there is none. */
  #take(group: BatchingGroup): void {
    group.isIdle = true;
    for (;;) {
      const unit = this.#oldest(group);
      if (unit === undefined) return;
      const queue = this.#queues[unit] ?? [];
      const batches = group.batches.get(unit) ?? [];
      const head = queue[0] ?? 0;
      const allowed = this.#deadlines[unit] ?? 0;
      const fitting = batches
        .filter(({ batchSize }) => batchSize <= queue.length)
        .flatMap(({ batchSize, stageSeconds }) => {
          const nowSeconds = this.#agenda.nowSeconds + this.#fixedSeconds;
          const deadlineSeconds = (this.#arrivals.seconds[head] ?? 0) + allowed;
          const request = { nowSeconds, deadlineSeconds, stageSeconds, slackSeconds: 0 };
          const admission = admit(request, group.clocks);
          return admission.kind === "admitted" ? { batchSize, clocks: admission.clocks } : [];
        });
      const batch = fitting.at(-1);
      const taken = queue.splice(0, batch?.batchSize ?? 1);
      for (const request of taken) this.outcomes.groups[request] = group.index;
      if (batch === undefined) continue;
      this.#start(group, taken, batch.clocks);
      return;
    }
  }

  #start(group: BatchingGroup, requests: readonly number[], clocks: readonly number[]): void {
    const finish = clocks.at(-1) ?? 0;
    for (const request of requests) {
      this.outcomes.finishSeconds[request] = finish;
      // Later ones have more time than the first, which is in time.
      this.outcomes.isGood[request] = 1;
    }
    group.clocks = clocks;
    group.isIdle = false;
    this.#agenda.at(clocks[0] ?? finish, () => this.#take(group));
  }

  /** The unit on the group whose first request has waited longest. */
  #oldest({ batches }: BatchingGroup): number | undefined {
    return dispatch(batches.keys(), (unit) => this.#queues[unit]?.[0] ?? Infinity);
  }
}

function batchingGroup(layout: Layout, index: number, input: KernelInput): BatchingGroup {
  const batches = layout.units.map((number) => {
    const unit = present(input.units[number], `There is no unit ${number}`);
    const measured = profileOf(unit, layout.configuration)?.latencies ?? [];
    const sizes = [...new Set(measured.map(({ batchSize }) => batchSize))];
    const times = sizes
      .toSorted((a, b) => a - b)
      .map((batchSize) => {
        const options = { ...layout, profile: input.profile, batchSize };
        return { batchSize, stageSeconds: stageTimes(unit, options) };
      });
    return [number, times] as const;
  });
  const clocks = Array.from({ length: layout.configuration.stageCount }, () => 0);
  return { index, batches: new Map(batches), clocks, isIdle: true };
}
