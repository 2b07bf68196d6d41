/** The parts of a search: messages that any thread can carry out with a judge of its own. */
import type { Clock } from "../../foundation/clock.ts";
import { SeededRandom } from "../../foundation/random.ts";
import { placeByRule, type RuleName } from "./baselines.ts";
import type { Candidate, Judge, PlacedGroup } from "../judge.ts";
import { climb } from "./moves.ts";
import { selectUnits } from "./selection.ts";

/** A part of the search that stands on its own; a message. */
export type SearchTask =
  | { readonly kind: "rule"; readonly rule: RuleName }
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

/** Replicas between two simulations, where groups are filled greedily. */
const addCount = 8;

/** What a worker does; a judge serves all tasks of one planning. */
export function runSearchTask(judge: Judge, task: SearchTask): TaskResult {
  const before = judge.runCount;
  if (task.kind === "climb") {
    const random = new SeededRandom(task.seed, task.stream);
    const candidate = climb(judge, task.start, { ...task, random });
    return { candidate, runCount: judge.runCount - before };
  }
  if (task.kind === "rule") {
    const candidate = placeByRule(task.rule, judge);
    return { candidate, runCount: judge.runCount - before };
  }
  const { groups, units } = task;
  const isWhole = units.length === judge.problem.units.length;
  const own = isWhole ? judge : judge.narrowedTo(units);
  const ownBefore = own.runCount;
  const selected = selectUnits(own, groups, { units, addCount });
  const candidate = isWhole ? selected : judge.judge(selected.groups);
  return { candidate, runCount: own.runCount - ownBefore + Number(!isWhole) };
}

/** One after the other; between two of them others have their turn, such as who aborts it. */
export function inThisThread(judge: Judge, clock: Clock): RunTask {
  let last: Promise<unknown> = Promise.resolve();
  return (task) => {
    const pause = last.then(() => new Promise<void>((resolve) => clock.schedule(0, resolve)));
    const result = pause.then(() => runSearchTask(judge, task));
    last = result;
    return result;
  };
}
