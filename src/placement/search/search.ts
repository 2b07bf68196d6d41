/**
 * The search for a placement: what simple rules place, and shapes and buckets filled greedily; then
 * the most promising ones improved side by side by local moves. It consists of tasks, which may run
 * anywhere and in any order: the outcome depends on the seed alone, not on how many workers there
 * are. It may be stopped at any time and then returns the best so far.
 */
import type { Clock } from "../../foundation/clock.ts";
import { ruleNames } from "./baselines.ts";
import { bestSplits, type Bucket, bucketsOf, type Filled, latencyClusters } from "./buckets.ts";
import { assignDevices, sameShape, sizeOf } from "../devices.ts";
import {
  type Candidate,
  isBetter,
  Judge,
  type PlacedGroup,
  type Planning,
  planOf,
} from "../judge.ts";
import type { Arrivals, Configuration, Plan } from "../placement.ts";
import { inThisThread, type RunTask, type SearchTask } from "./search-tasks.ts";

export interface SearchProgress {
  readonly goodCount: number;
  readonly requestCount: number;
  readonly runCount: number;
  /** The share of the whole search, in [0, 1]. */
  readonly doneShare: number;
}

export interface SearchOptions {
  readonly clock: Clock;
  /** 0 by default. */
  readonly seed?: number;
  /**
   * The time after which no more tasks are begun, nor greedy ones after half of it; all are by
   * default. The rules' are, unless it is 0.
   */
  readonly seconds?: number;
  readonly signal?: AbortSignal;
  /**
   * Requests that no placement was made for, by which the last choice is made: what was found, or
   * one of the rules' placements where that serves more of them. The planned ones by default.
   */
  readonly trial?: Arrivals;
  /** A placement to improve on beside those that are made anew; it must break no rule. */
  readonly start?: readonly PlacedGroup[];
  /** Whether to end as soon as the objective's attainment is reached. */
  readonly isContentWithObjective?: boolean;
  /** Rounds of local search; 6 by default. */
  readonly roundCount?: number;
  readonly onProgress?: (progress: SearchProgress) => void;
  /** Runs a task; in this thread by default. */
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
/** The runs of each in a round; then the worst one starts again from the best. */
const runsPerRound = 60;
const defaultRoundCount = 6;
/** Those that do best with all units on all devices are tried in a bucket. */
const shapesPerBucket = 5;
/** They are handed out at a time; the others wait, and are not begun when time is over. */
const tasksAtOnce = 8;

/** The plan breaks no rule of `verify`; it has no groups if no unit runs on this cluster. */
export async function search(planning: Planning, options: SearchOptions): Promise<SearchResult> {
  return new Search(planning, options).run();
}

interface BucketTask {
  readonly bucket: Bucket;
  readonly task: SearchTask;
}

interface Shapes {
  readonly configurations: readonly Configuration[];
  readonly countMax?: number;
}

/** Owns the best so far. */
class Search {
  readonly #options: SearchOptions;
  readonly #planning: Planning;
  readonly #judge: Judge;
  readonly #attainment: number;
  readonly #runTask: RunTask;
  readonly #startMs: number;
  readonly #start: Candidate;
  #best: Candidate;
  /** What the rules placed. */
  #ruled: readonly Candidate[] = [];
  #runCount = 0;
  /** Sets of tasks that have been run. */
  #setCount = 0;
  /** Whether a task was not begun for lack of time. */
  #isCut = false;

  constructor(planning: Planning, options: SearchOptions) {
    this.#options = options;
    this.#planning = planning;
    this.#judge = new Judge(planning);
    this.#attainment = planning.problem.objective.attainment;
    this.#runTask = options.runTask ?? inThisThread(this.#judge, options.clock);
    this.#startMs = options.clock.monotonic();
    this.#start = this.#judge.judge(options.start ?? []);
    this.#best = this.#start;
  }

  async run(): Promise<SearchResult> {
    const { roundCount = defaultRoundCount, seed = 0 } = this.#options;
    let islands = await this.#starts();
    for (let round = 0; round < roundCount && !this.#isEnough; round++) {
      const tasks = islands.map((start, island): SearchTask => {
        const stream = round * islandCount + island;
        return { kind: "climb", start, seed, stream, runCount: runsPerRound };
      });
      const results = await this.#runAll(tasks, () => this.#isStopped);
      const found = results.flatMap((candidate) => candidate ?? []);
      for (const candidate of found) this.#take(candidate);
      islands = found.toSorted(byWorth);
      const [first] = islands;
      if (first !== undefined && islands.length > 1) islands = [...islands.slice(0, -1), first];
    }
    const candidate = this.#chosen();
    return {
      plan: planOf(candidate.groups, this.#judge.problem),
      candidate,
      attainment: attainmentOf(candidate),
      runCount: this.#runCount,
      isFinished: this.#isEnough || !this.#isCut,
    };
  }

  /** What was found fits the bursts that it was made for; by others a rule's may be better. */
  #chosen(): Candidate {
    const { trial } = this.#options;
    if (trial === undefined || trial === this.#planning.arrivals) return this.#best;
    const judge = new Judge({ ...this.#planning, arrivals: trial });
    const finalists = [this.#best, ...this.#ruled];
    const counts = finalists.map(({ groups }) => judge.judge(groups).counts);
    const best = counts.reduce((a, b) => (isBetter(b, a) ? b : a));
    return finalists[counts.indexOf(best)] ?? this.#best;
  }

  /** The best shapes and splits into buckets, the best first; fewer if there are no more. */
  async #starts(): Promise<readonly Candidate[]> {
    const { configurations, deviceCount, problem } = this.#judge;
    const clusters = latencyClusters(problem.units);
    const buckets = bucketsOf(clusters.length, deviceCount);
    const isWhole = ({ from, until }: Bucket): boolean => until - from === clusters.length;
    const tasksOf = (bucket: Bucket, shapes: Shapes): readonly BucketTask[] => {
      const units = clusters.slice(bucket.from, bucket.until).flat();
      const groups = this.#shapes(bucket, shapes);
      return groups.map((empty) => ({ bucket, task: { kind: "select", groups: empty, units } }));
    };
    // Side by side, since the rules may take long; but taken in this order, whoever is done first.
    const [ruled, whole] = await Promise.all([
      this.#runAll(
        ruleNames.map((rule) => ({ kind: "rule", rule })),
        () => this.#isAborted,
      ),
      this.#fill(buckets.filter(isWhole).flatMap((bucket) => tasksOf(bucket, { configurations }))),
    ]);
    this.#ruled = ruled.flatMap((candidate) => candidate ?? []);
    for (const candidate of this.#ruled) this.#take(candidate);
    for (const { candidate } of whole) this.#take(candidate);
    const ranked = whole
      .toSorted((a, b) => byWorth(a.candidate, b.candidate))
      .flatMap(({ candidate }) => candidate.groups[0]?.configuration ?? []);
    const shapes = { configurations: ranked, countMax: shapesPerBucket };
    const parts = await this.#fill(
      buckets.filter((bucket) => !isWhole(bucket)).flatMap((bucket) => tasksOf(bucket, shapes)),
    );
    const splits = bestSplits(parts, clusters.length, deviceCount)
      .slice(0, islandCount)
      .flatMap(({ parts: joined }) => this.#join(joined) ?? []);
    for (const { candidate } of parts) this.#take(candidate);
    for (const split of splits) this.#take(split);
    const starts = [...splits, ...whole.map(({ candidate }) => candidate), ...this.#ruled];
    if (this.#options.start !== undefined) starts.push(this.#start);
    return starts.toSorted(byWorth).slice(0, islandCount);
  }

  async #fill(tasks: readonly BucketTask[]): Promise<readonly Filled[]> {
    if (this.#isEnough) return [];
    // Half of the time is for improving what there is.
    const isLate = (): boolean => this.#isStopped || this.#spentShare >= 0.5;
    const found = await this.#runAll(
      tasks.map(({ task }) => task),
      isLate,
    );
    const filled = tasks.flatMap(({ bucket }, index): Filled[] => {
      const candidate = found[index];
      return candidate === undefined ? [] : [{ ...bucket, candidate }];
    });
    return filled;
  }

  /** Groups of one configuration each, empty, on the first devices. */
  #shapes(
    { deviceCount }: Bucket,
    { configurations, countMax = Infinity }: Shapes,
  ): readonly (readonly PlacedGroup[])[] {
    const isFitting = (configuration: Configuration): boolean =>
      sizeOf(configuration) <= deviceCount;
    const known = this.#judge.configurations.filter(isFitting);
    const chosen = configurations.filter(isFitting).slice(0, countMax);
    return chosen.flatMap((configuration) => {
      // Nodes may leave over too few devices for a stage: then there are fewer groups.
      let groups: readonly PlacedGroup[] | undefined;
      let shape = sameShape(configuration, deviceCount, known);
      for (; groups === undefined; shape = shape.slice(1)) groups = this.#assign(shape);
      return groups.length > 0 ? [groups] : [];
    });
  }

  /** Buckets were filled each as if on the first devices; units that do not fit now are left. */
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

  /**
   * The results are in the order of the tasks, not of their ends, since of equals the first one is
   * kept; undefined are those that were not begun, since it was over before.
   */
  async #runAll(
    tasks: readonly SearchTask[],
    isOver: () => boolean,
  ): Promise<readonly (Candidate | undefined)[]> {
    const found: (Candidate | undefined)[] = tasks.map(() => undefined);
    const waiting = tasks.entries();
    let doneCount = 0;
    const lane = async (): Promise<void> => {
      for (const [index, task] of waiting) {
        if (isOver()) {
          this.#isCut = true;
          return;
        }
        const { candidate, runCount } = await this.#runTask(task);
        found[index] = candidate;
        this.#runCount += runCount;
        this.#tell(candidate, ++doneCount / tasks.length);
      }
    };
    await Promise.all(Array.from({ length: tasksAtOnce }, lane));
    this.#setCount += 1;
    return found;
  }

  #tell({ counts }: Candidate, doneShare: number): void {
    const { roundCount = defaultRoundCount, onProgress } = this.#options;
    const { goodCount, requestCount } = this.#best.counts;
    onProgress?.({
      goodCount: Math.max(goodCount, counts.goodCount),
      requestCount,
      runCount: this.#runCount,
      doneShare: (this.#setCount + doneShare) / (roundCount + 3),
    });
  }

  #take(candidate: Candidate): void {
    if (isBetter(candidate.counts, this.#best.counts)) this.#best = candidate;
  }

  get #isEnough(): boolean {
    const { goodCount, requestCount } = this.#best.counts;
    const { isContentWithObjective = false } = this.#options;
    const isReached = attainmentOf(this.#best) >= this.#attainment;
    return goodCount === requestCount || (isContentWithObjective && isReached);
  }

  get #isStopped(): boolean {
    return this.#isAborted || this.#spentShare >= 1;
  }

  get #isAborted(): boolean {
    return this.#options.signal?.aborted === true || this.#options.seconds === 0;
  }

  /** The share of the time that is spent. */
  get #spentShare(): number {
    const { seconds = Infinity, clock } = this.#options;
    const spentSeconds = (clock.monotonic() - this.#startMs) / 1000;
    return seconds === 0 ? 1 : spentSeconds / seconds;
  }
}

function byWorth(a: Candidate, b: Candidate): number {
  return Number(isBetter(b.counts, a.counts)) - Number(isBetter(a.counts, b.counts));
}

function attainmentOf({ counts: { goodCount, requestCount } }: Candidate): number {
  return requestCount === 0 ? 1 : goodCount / requestCount;
}
