/**
 * The event simulator: requests travel from client to dispatcher to group to stage on a virtual
 * clock, and `scheduling/`'s own decisions send and admit them. It is what production does, with
 * measured latencies in place of work; the kernel is its fast twin.
 */
import { present } from "../../foundation/assert.ts";
import { dispatch } from "../../scheduling/dispatch.ts";
import {
  admitByForecast,
  correctForecast,
  type Forecast,
  freeSeconds,
  idleForecast,
} from "../../scheduling/forecast.ts";
import { Agenda } from "./agenda.ts";
import { type KernelInput, type Layout, rounding, stageTimes } from "./kernel.ts";
import { Machine, type SpeedOf, Stage } from "./machine.ts";
import type { Outcomes, SimulationProfile } from "../placement.ts";

/** How a request finds its group. */
export type Dispatching =
  /**
   * The dispatcher keeps every group's clocks as admission predicts them, and chooses and admits
   * in one step: what Strata does, and what the kernel does.
   */
  | "clocks"
  /**
   * It counts the requests that it sent and that are not answered yet; the group admits when the
   * request arrives there: what AlpaServe's controller does.
   */
  | "in-flight";

export interface EventInput extends KernelInput {
  readonly layouts: readonly Layout[];
  readonly dispatching: Dispatching;
  /** What starting a request takes in truth; what the profile foresees by default. */
  readonly startSeconds?: number;
  /** What each run of a group's stage takes over what was measured, drawn. 1 by default. */
  readonly drawFactor?: (group: number, stage: number) => number;
  /** 1 by default, whatever their number: what the kernel assumes. */
  readonly speedOf?: SpeedOf;
}

export function simulate(input: EventInput): Outcomes {
  const { arrivals, layouts, units, profile, dispatching } = input;
  const agenda = new Agenda();
  const machine = new Machine(agenda, input.speedOf);
  const groups = layouts.map(
    (layout, index) => new EventGroup({ layout, index, input, agenda, machine }),
  );
  const hosts = units.map((_, unit) => groups.filter((group) => group.hosts(unit)));
  const deadlines = input.deadlineSeconds.map(rounding(profile));
  const outcomes = {
    isGood: new Uint8Array(arrivals.seconds.length),
    finishSeconds: new Float64Array(arrivals.seconds.length),
    groups: new Int32Array(arrivals.seconds.length),
  };
  for (const [index, seconds] of arrivals.seconds.entries()) {
    const unit = arrivals.units[index] ?? 0;
    const allowed = deadlines[unit] ?? 0;
    agenda.at(seconds + profile.receiveSeconds, () => {
      const group = dispatch(hosts[unit] ?? [], (host) => host.load(dispatching));
      outcomes.groups[index] = group?.index ?? -1;
      outcomes.finishSeconds[index] = agenda.nowSeconds;
      const request: EventRequest = {
        unit,
        deadlineSeconds: seconds + allowed,
        onEnd(isServed) {
          const finish = agenda.nowSeconds;
          outcomes.finishSeconds[index] = finish;
          outcomes.isGood[index] = Number(isServed && finish - seconds <= allowed);
        },
      };
      if (dispatching === "clocks") group?.admitAndSend(request);
      else group?.sendAndAdmit(request);
    });
  }
  agenda.run();
  return outcomes;
}

interface EventRequest {
  readonly unit: number;
  readonly deadlineSeconds: number;
  /** It is called when it was answered, or rejected. */
  readonly onEnd: (isServed: boolean) => void;
}

interface EventGroupOptions {
  readonly layout: Layout;
  readonly index: number;
  readonly input: EventInput;
  readonly agenda: Agenda;
  readonly machine: Machine;
}

/** Owns a group's forecast, and its stages, by which comes true what was foreseen. */
class EventGroup {
  readonly index: number;
  readonly #profile: SimulationProfile;
  readonly #agenda: Agenda;
  readonly #startSeconds: number;
  readonly #drawFactor: (group: number, stage: number) => number;
  /** What each unit on it takes in each stage. */
  readonly #stageTimes: ReadonlyMap<number, readonly number[]>;
  #inFlightCount = 0;
  #forecast: Forecast;
  readonly #stages: readonly Stage[];

  constructor({ layout, index, input, agenda, machine }: EventGroupOptions) {
    const { profile, units } = input;
    this.index = index;
    this.#profile = profile;
    this.#agenda = agenda;
    this.#startSeconds = input.startSeconds ?? profile.startSeconds;
    this.#drawFactor = input.drawFactor ?? (() => 1);
    this.#stageTimes = new Map(
      layout.units.map((number) => {
        const unit = present(units[number], `There is no unit ${number}`);
        return [number, stageTimes(unit, { ...layout, profile })];
      }),
    );
    const { stageCount } = layout.configuration;
    this.#stages = Array.from({ length: stageCount }, () => new Stage(machine));
    this.#forecast = idleForecast(stageCount);
  }

  hosts(unit: number): boolean {
    return this.#stageTimes.has(unit);
  }

  load(dispatching: Dispatching): number {
    return dispatching === "in-flight" ? this.#inFlightCount : freeSeconds(this.#forecast);
  }

  admitAndSend(request: EventRequest): void {
    const { dispatchSeconds, startSeconds } = this.#profile;
    this.#inFlightCount += 1;
    const predictedSeconds = this.#admit(request, this.#agenda.nowSeconds + dispatchSeconds);
    if (predictedSeconds === undefined) return this.#end(request, false);
    this.#start(dispatchSeconds + this.#startSeconds, {
      ...request,
      onEnd: (isServed) => {
        const finishSeconds = this.#agenda.nowSeconds - startSeconds;
        this.#forecast = correctForecast(this.#forecast, { predictedSeconds, finishSeconds });
        request.onEnd(isServed);
      },
    });
  }

  sendAndAdmit(request: EventRequest): void {
    const { dispatchSeconds } = this.#profile;
    this.#inFlightCount += 1;
    this.#agenda.after(dispatchSeconds, () => {
      const predicted = this.#admit(request, this.#agenda.nowSeconds);
      if (predicted === undefined) this.#end(request, false);
      else this.#start(this.#startSeconds, request);
    });
  }

  /** The time at which the last stage is predicted to be done; undefined if it is rejected. */
  #admit({ unit, deadlineSeconds }: EventRequest, nowSeconds: number): number | undefined {
    const stageSeconds = this.#stageTimes.get(unit) ?? [];
    const { slackSeconds } = this.#profile;
    const arrival = { nowSeconds, deadlineSeconds, stageSeconds, slackSeconds };
    const admission = admitByForecast(arrival, this.#forecast);
    if (admission.kind === "rejected") return undefined;
    this.#forecast = admission.forecast;
    return admission.predictedSeconds;
  }

  #start(afterSeconds: number, request: EventRequest): void {
    this.#agenda.after(afterSeconds, () => this.#enter(request, 0));
  }

  #enter(request: EventRequest, index: number): void {
    const stage = this.#stages[index];
    if (stage === undefined) return this.#end(request, true);
    const measured = this.#stageTimes.get(request.unit)?.[index] ?? 0;
    const seconds = measured * this.#drawFactor(this.index, index);
    stage.enter(seconds, () => this.#enter(request, index + 1));
  }

  #end(request: EventRequest, isServed: boolean): void {
    this.#inFlightCount -= 1;
    request.onEnd(isServed);
  }
}
