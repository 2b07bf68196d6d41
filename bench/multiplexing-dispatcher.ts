/**
 * A real dispatcher, small: it carries out a plan on processes with the decisions that the event
 * simulator runs. Requests of a group pass its stages in order of dispatch.
 */
import { present } from "../src/foundation/assert.ts";
import type { Clock } from "../src/foundation/clock.ts";
import type { Arrivals, Outcomes, SimulationProfile } from "../src/placement/placement.ts";
import { dispatch } from "../src/scheduling/dispatch.ts";
import {
  admitByForecast,
  correctForecast,
  type Forecast,
  freeSeconds,
  idleForecast,
} from "../src/scheduling/forecast.ts";
import type { StageInput } from "./multiplexing-messages.ts";
import type { LoadedStage } from "./multiplexing-process.ts";

/** A unit on a group. */
export interface Host {
  readonly unit: number;
  readonly stages: readonly LoadedStage[];
}

export interface ExecuteInput {
  /** The units on each group. */
  readonly groups: readonly (readonly Host[])[];
  readonly arrivals: Arrivals;
  /** Each unit has one. */
  readonly deadlineSeconds: readonly number[];
  /** What each unit takes in each stage, as admission predicts it. */
  readonly stageSeconds: readonly (readonly number[])[];
  readonly profile: SimulationProfile;
  readonly clock: Clock;
  /** What every request carries. */
  readonly ids: StageInput["ids"];
}

/** A request that was served. */
export interface Served {
  readonly unit: number;
  readonly group: number;
  /** Neither in a stage nor in line before one: timers, dispatch, and pipes. */
  readonly fixedSeconds: number;
  /** [stage] */
  readonly busySeconds: readonly number[];
}

export interface Executed {
  readonly outcomes: Outcomes;
  /** The order is that of answers, which is that of dispatch within a group. */
  readonly served: readonly Served[];
}

/** Resolves when all requests are answered or rejected. */
export async function execute(input: ExecuteInput): Promise<Executed> {
  const { arrivals } = input;
  const run = new Run(input);
  const answers: Promise<void>[] = [];
  for (const [request, seconds] of arrivals.seconds.entries()) {
    await run.until(seconds);
    answers.push(run.dispatch(request));
  }
  await Promise.all(answers);
  return run;
}

/** Owns the forecasts of the groups. */
class Run implements Executed {
  readonly outcomes: Outcomes;
  readonly served: Served[] = [];
  readonly #input: ExecuteInput;
  readonly #forecasts: Forecast[];
  readonly #startMs: number;

  constructor(input: ExecuteInput) {
    const count = input.arrivals.seconds.length;
    this.#input = input;
    this.#startMs = input.clock.monotonic();
    this.#forecasts = input.groups.map(([host]) => idleForecast(host?.stages.length ?? 0));
    this.outcomes = {
      isGood: new Uint8Array(count),
      finishSeconds: new Float64Array(count),
      groups: new Int32Array(count),
    };
  }

  get nowSeconds(): number {
    return (this.#input.clock.monotonic() - this.#startMs) / 1000;
  }

  /** Timers of whole milliseconds may be early. */
  async until(seconds: number): Promise<void> {
    for (let wait; (wait = seconds - this.nowSeconds) > 0;) {
      const delayMs = 1000 * wait;
      await new Promise<void>((resolve) => void this.#input.clock.schedule(delayMs, resolve));
    }
  }

  async dispatch(request: number): Promise<void> {
    const { arrivals, groups, deadlineSeconds, stageSeconds, profile } = this.#input;
    const unit = arrivals.units[request] ?? 0;
    const arrived = arrivals.seconds[request] ?? 0;
    const allowed = deadlineSeconds[unit] ?? 0;
    const hosts = groups.flatMap((hosted, group) => {
      const host = hosted.find((candidate) => candidate.unit === unit);
      return host === undefined ? [] : { ...host, group };
    });
    const chosen = present(
      dispatch(hosts, ({ group }) => freeSeconds(this.#forecast(group))),
      "every unit is hosted",
    );
    const { group, stages } = chosen;
    this.outcomes.groups[request] = group;
    const admission = admitByForecast(
      {
        nowSeconds: this.nowSeconds,
        deadlineSeconds: arrived + allowed,
        stageSeconds: stageSeconds[unit] ?? [],
        slackSeconds: profile.slackSeconds,
      },
      this.#forecast(group),
    );
    this.outcomes.finishSeconds[request] = this.nowSeconds;
    if (admission.kind === "rejected") return;
    const { forecast, predictedSeconds } = admission;
    this.#forecasts[group] = forecast;
    const { busySeconds, waitSeconds } = await passStages(stages, this.#input.ids);
    const answered = this.nowSeconds;
    const finishSeconds = answered - profile.startSeconds;
    this.#forecasts[group] = correctForecast(this.#forecast(group), {
      predictedSeconds,
      finishSeconds,
    });
    this.outcomes.finishSeconds[request] = answered;
    this.outcomes.isGood[request] = Number(answered - arrived <= allowed);
    const busy = busySeconds.reduce((a, b) => a + b, 0);
    const fixedSeconds = answered - arrived - busy - waitSeconds;
    this.served.push({ unit, group, fixedSeconds, busySeconds });
  }

  #forecast(group: number): Forecast {
    return present(this.#forecasts[group], "every group has one");
  }
}

/** Hands each stage's state to the next; returns how long each was busy, and all it waited. */
async function passStages(
  stages: readonly LoadedStage[],
  ids: StageInput["ids"],
): Promise<{ readonly busySeconds: readonly number[]; readonly waitSeconds: number }> {
  const busySeconds: number[] = [];
  let waitSeconds = 0;
  let input: StageInput = { ids };
  for (const stage of stages) {
    const answer = await stage(input);
    busySeconds.push(answer.busySeconds);
    waitSeconds += answer.waitSeconds;
    const { state } = answer.results;
    input = { ids, ...(state === undefined ? {} : { states: state }) };
  }
  return { busySeconds, waitSeconds };
}
