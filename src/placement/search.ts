/**
 * The search for a placement: shapes and buckets filled greedily, then the most promising ones
 * improved side by side by local moves. It consists of tasks, which may run anywhere and in any
 * order: the outcome depends on the seed alone, not on how many workers there are. It may be stopped
 * at any time and then returns the best so far.
 */
import type { Clock } from "../foundation/clock.ts";
import { SeededRandom } from "../foundation/random.ts";
import { bestSplits, type Bucket, bucketsOf, type Filled, latencyClusters } from "./buckets.ts";
import { assignDevices, sameShape } from "./devices.ts";
import {
  type Candidate,
  isBetter,
  Judge,
  type PlacedGroup,
  type Planning,
  planOf,
} from "./judge.ts";
import { climb } from "./moves.ts";
import type { Configuration, Plan } from "./placement.ts";
import { selectUnits } from "./selection.ts";

/** A part of the search that stands on its own; a message. */
export type SearchTask =
  | {
      readonly kind: "select";
      readonly groups: readonly PlacedGroup[];
      readonly units: readonly number[];
    }
  | {
      readonly kind: "climb";
      readonly start: Candidate;
      readonly seed: number;
      readonly stream: number;
      readonly runCount: number;
    };

export interface TaskResult {
  readonly candidate: Candidate;
  /** Simulations. */
  readonly runCount: number;
}

export type RunTask = (task: SearchTask) => Promise<TaskResult>;

export interface SearchProgress {
  readonly goodCount: number;
  readonly requestCount: number;
  readonly runCount: number;
  /** Of the whole search, in [0, 1]. */
  readonly doneShare: number;
}

export interface SearchOptions {
  readonly clock: Clock;
  /** 0 by default. */
  readonly seed?: number;
  /** After which no more tasks are begun; by default all of them are. */
  readonly seconds?: number;
  readonly signal?: AbortSignal;
  /** Whether to end as soon as the objective's attainment is reached. */
  readonly isContentWithObjective?: boolean;
  /** Of local search; 8 by default. */
  readonly roundCount?: number;
  readonly onProgress?: (progress: SearchProgress) => void;
  /** In this thread by default. */
  readonly runTask?: RunTask;
}

export interface SearchResult {
  readonly plan: Plan;
  readonly candidate: Candidate;
  /** Good over all requests that were planned for. */
  readonly attainment: number;
  readonly runCount: number;
  /** Whether it ended by itself, and neither by the signal nor for lack of time. */
  readonly isFinished: boolean;
}

/** Placements that are improved side by side: more find more, but each is less far. */
const islandCount = 4;
/** Of each in a round; then the worst one starts again from the best. */
const runsPerRound = 250;
const defaultRoundCount = 8;
/** Between two looks at the clock. */
const tasksAtOnce = 16;
const addCount = 8;

/** The plan breaks no rule of `verify`; it has no groups if no unit runs on this cluster. */
export async function search(planning: Planning, options: SearchOptions): Promise<SearchResult> {
  return new Search(planning, options).run();
}

/** What a worker does; a judge serves all tasks of one planning. */
export function runSearchTask(judge: Judge, task: SearchTask): TaskResult {
  const before = judge.runCount;
  const candidate =
    task.kind === "select"
      ? selectUnits(judge, task.groups, { units: task.units, addCount })
      : climb(judge, task.start, {
          random: new SeededRandom(task.seed, task.stream),
          runCount: task.runCount,
        });
  return { candidate, runCount: judge.runCount - before };
}

/** Owns the best so far. */
class Search {
  readonly #options: SearchOptions;
  readonly #judge: Judge;
  readonly #attainment: number;
  readonly #runTask: RunTask;
  readonly #startMs: number;
  #best: Candidate;
  #runCount = 0;
  #doneShare = 0;

  constructor(planning: Planning, options: SearchOptions) {
    this.#options = options;
    this.#judge = new Judge(planning);
    this.#attainment = planning.problem.objective.attainment;
    this.#runTask = options.runTask ?? inThisThread(this.#judge, options.clock);
    this.#startMs = options.clock.monotonic();
    this.#best = this.#judge.judge([]);
  }

  async run(): Promise<SearchResult> {
    const { roundCount = defaultRoundCount, seed = 0 } = this.#options;
    let islands = await this.#starts();
    for (let round = 0; round < roundCount && !this.#isOver; round++) {
      const tasks = islands.map((start, island): SearchTask => {
        const stream = round * islandCount + island;
        return { kind: "climb", start, seed, stream, runCount: runsPerRound };
      });
      this.#doneShare = (round + 1) / (roundCount + 1);
      const found = await this.#runAll(tasks);
      islands = found.toSorted(byWorth);
      const [first] = islands;
      if (first !== undefined && islands.length > 1) islands = [...islands.slice(0, -1), first];
    }
    return {
      plan: planOf(this.#best.groups, this.#judge.problem),
      candidate: this.#best,
      attainment: attainmentOf(this.#best),
      runCount: this.#runCount,
      isFinished: this.#isEnough || !this.#isStopped,
    };
  }

  /** The best shapes and splits into buckets, the best first; fewer if there are no more. */
  async #starts(): Promise<readonly Candidate[]> {
    const { deviceCount, problem } = this.#judge;
    const clusters = latencyClusters(problem.units);
    const filled: Filled[] = [];
    const tasks = bucketsOf(clusters.length, deviceCount).flatMap((bucket) => {
      const units = clusters.slice(bucket.from, bucket.until).flat();
      return this.#shapes(bucket).map((groups) => ({ bucket, task: selectTask(groups, units) }));
    });
    for (let first = 0; first < tasks.length && !this.#isOver; first += tasksAtOnce) {
      const part = tasks.slice(first, first + tasksAtOnce);
      const found = await this.#runAll(part.map(({ task }) => task));
      for (const [index, { bucket }] of part.entries()) {
        const candidate = found[index];
        if (candidate !== undefined) filled.push({ ...bucket, candidate });
      }
    }
    const splits = bestSplits(filled, clusters.length, deviceCount)
      .filter(({ parts }) => parts.length > 1)
      .slice(0, islandCount)
      .flatMap(({ parts }) => this.#join(parts) ?? []);
    for (const split of splits) this.#take(split);
    const whole = filled.filter(({ from, until }) => until - from === clusters.length);
    const starts = [...splits, ...whole.map(({ candidate }) => candidate)];
    return starts.toSorted(byWorth).slice(0, islandCount);
  }

  /** Groups of one configuration each, empty, on the first devices. */
  #shapes({ deviceCount }: Bucket): readonly (readonly PlacedGroup[])[] {
    const { configurations } = this.#judge;
    const fitting = configurations.filter(
      ({ intraOp, stageCount }) => intraOp * stageCount <= deviceCount,
    );
    return fitting.flatMap((configuration) => {
      const groups = this.#assign(sameShape(configuration, deviceCount, fitting));
      return groups === undefined ? [] : [groups];
    });
  }

  /** Buckets were filled each as if it had the first devices; units that do not fit now are left. */
  #join(parts: readonly Filled[]): Candidate | undefined {
    const before = parts.flatMap(({ candidate }) => candidate.groups);
    const groups = this.#assign(before.map(({ configuration }) => configuration))?.map(
      (group, index) => {
        const units: number[] = [];
        for (const unit of before[index]?.units ?? [])
          if (this.#judge.fits(group, [...units, unit])) units.push(unit);
        return { ...group, units };
      },
    );
    return groups && this.#judge.judge(groups);
  }

  #assign(shape: readonly Configuration[]): readonly PlacedGroup[] | undefined {
    const devices = Array.from({ length: this.#judge.deviceCount }, (_, device) => device);
    const groups = assignDevices(shape, devices, this.#judge.problem.cluster);
    return groups?.map((group) => ({ ...group, units: [] }));
  }

  async #runAll(tasks: readonly SearchTask[]): Promise<readonly Candidate[]> {
    const results = await Promise.all(tasks.map((task) => this.#runTask(task)));
    for (const { candidate, runCount } of results) {
      this.#runCount += runCount;
      this.#take(candidate);
    }
    this.#options.onProgress?.({
      goodCount: this.#best.counts.goodCount,
      requestCount: this.#best.counts.requestCount,
      runCount: this.#runCount,
      doneShare: this.#doneShare,
    });
    return results.map(({ candidate }) => candidate);
  }

  #take(candidate: Candidate): void {
    if (isBetter(candidate.counts, this.#best.counts)) this.#best = candidate;
  }

  get #isOver(): boolean {
    return this.#isEnough || this.#isStopped;
  }

  get #isEnough(): boolean {
    const { goodCount, requestCount } = this.#best.counts;
    const { isContentWithObjective = false } = this.#options;
    const isReached = attainmentOf(this.#best) >= this.#attainment;
    return goodCount === requestCount || (isContentWithObjective && isReached);
  }

  get #isStopped(): boolean {
    const { seconds = Infinity, signal, clock } = this.#options;
    return signal?.aborted === true || clock.monotonic() - this.#startMs >= seconds * 1000;
  }
}

function selectTask(groups: readonly PlacedGroup[], units: readonly number[]): SearchTask {
  return { kind: "select", groups, units };
}

/** One after the other; between two of them others have their turn, such as who aborts the search. */
function inThisThread(judge: Judge, clock: Clock): RunTask {
  let last: Promise<unknown> = Promise.resolve();
  return (task) => {
    const pause = last.then(() => new Promise<void>((resolve) => clock.schedule(0, resolve)));
    const result = pause.then(() => runSearchTask(judge, task));
    last = result;
    return result;
  };
}

function byWorth(a: Candidate, b: Candidate): number {
  return Number(isBetter(b.counts, a.counts)) - Number(isBetter(a.counts, b.counts));
}

function attainmentOf({ counts: { goodCount, requestCount } }: Candidate): number {
  return requestCount === 0 ? 1 : goodCount / requestCount;
}
