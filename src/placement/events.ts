/**
 * The event simulator: requests travel from client to dispatcher to group to stage on a virtual
 * clock, and `scheduling/`'s own decisions send and admit them. It is what production does, with
 * measured latencies in place of work; the kernel is its fast twin.
 */
import { present } from "../foundation/assert.ts";
import { admit, dispatch } from "../scheduling/dispatch.ts";
import { Agenda } from "./agenda.ts";
import { type KernelInput, type Layout, rounding, stageTimes } from "./kernel.ts";
import type { Outcomes, SimulationProfile } from "./placement.ts";

/** By what a dispatcher tells the load of a group. */
export type LoadRule =
  /** Requests sent there and not answered yet; what production does. */
  | "in-flight"
  /** When admission predicts the last stage to be free; what the kernel does. */
  | "last-clock";

export interface EventInput extends KernelInput {
  readonly layouts: readonly Layout[];
  readonly loadRule: LoadRule;
}

export function simulate(input: EventInput): Outcomes {
  const { arrivals, layouts, units, profile, loadRule } = input;
  const agenda = new Agenda();
  const groups = layouts.map((layout, index) => new EventGroup({ layout, index, input, agenda }));
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
      const group = dispatch(hosts[unit] ?? [], (host) => host.load(loadRule));
      outcomes.groups[index] = group?.index ?? -1;
      outcomes.finishSeconds[index] = agenda.nowSeconds;
      group?.send({
        unit,
        deadlineSeconds: seconds + allowed,
        onEnd(isServed) {
          const finish = agenda.nowSeconds;
          outcomes.finishSeconds[index] = finish;
          outcomes.isGood[index] = Number(isServed && finish - seconds <= allowed);
        },
      });
    });
  }
  agenda.run();
  return outcomes;
}

interface EventRequest {
  readonly unit: number;
  readonly deadlineSeconds: number;
  /** When it was answered, or rejected. */
  readonly onEnd: (isServed: boolean) => void;
}

interface EventGroupOptions {
  readonly layout: Layout;
  readonly index: number;
  readonly input: KernelInput;
  readonly agenda: Agenda;
}

/** Owns a group's clocks, those that admission predicts and those that come true. */
class EventGroup {
  readonly index: number;
  readonly #profile: SimulationProfile;
  readonly #agenda: Agenda;
  /** Of each unit on it, what it takes in each stage. */
  readonly #stageTimes: ReadonlyMap<number, readonly number[]>;
  #inFlightCount = 0;
  #predictedClocks: readonly number[];
  /** When each stage is free. */
  readonly #freeSeconds: number[];

  constructor({ layout, index, input, agenda }: EventGroupOptions) {
    const { profile, units } = input;
    this.index = index;
    this.#profile = profile;
    this.#agenda = agenda;
    this.#stageTimes = new Map(
      layout.units.map((number) => {
        const unit = present(units[number], `There is no unit ${number}`);
        return [number, stageTimes(unit, { ...layout, profile })];
      }),
    );
    this.#freeSeconds = Array.from({ length: layout.configuration.stageCount }, () => 0);
    this.#predictedClocks = [...this.#freeSeconds];
  }

  hosts(unit: number): boolean {
    return this.#stageTimes.has(unit);
  }

  load(rule: LoadRule): number {
    return rule === "in-flight" ? this.#inFlightCount : (this.#predictedClocks.at(-1) ?? 0);
  }

  send(request: EventRequest): void {
    this.#inFlightCount += 1;
    this.#agenda.after(this.#profile.dispatchSeconds, () => this.#receive(request));
  }

  #receive(request: EventRequest): void {
    const stageSeconds = this.#stageTimes.get(request.unit) ?? [];
    const { startSeconds, slackSeconds } = this.#profile;
    const admission = admit(
      {
        nowSeconds: this.#agenda.nowSeconds,
        deadlineSeconds: request.deadlineSeconds,
        stageSeconds,
        slackSeconds,
      },
      this.#predictedClocks,
    );
    if (admission.kind === "rejected") return this.#end(request, false);
    this.#predictedClocks = admission.clocks;
    this.#agenda.after(startSeconds, () => this.#enter(request, 0));
  }

  /** A stage serves in order of entry, so it is enough to know when it is free. */
  #enter(request: EventRequest, stage: number): void {
    const seconds = this.#stageTimes.get(request.unit)?.[stage];
    if (seconds === undefined) return this.#end(request, true);
    const free = Math.max(this.#freeSeconds[stage] ?? 0, this.#agenda.nowSeconds) + seconds;
    this.#freeSeconds[stage] = free;
    this.#agenda.at(free, () => this.#enter(request, stage + 1));
  }

  #end(request: EventRequest, isServed: boolean): void {
    this.#inFlightCount -= 1;
    request.onEnd(isServed);
  }
}
