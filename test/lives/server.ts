/** The server over its processes: when it starts, stops, and is killed. */
import { present } from "../../src/foundation/assert.ts";
import { pause } from "../../src/foundation/clock.ts";
import { SeededRandom, type Random } from "../../src/foundation/random.ts";
import type { Auditor, Unswept } from "./auditor.ts";
import type { Machine } from "./machine.ts";
import type { Plant } from "./planted.ts";
import type { Profile } from "./profile.ts";
import { type ServerProcess, startProcess } from "./server-process.ts";
import { Lifetime } from "./virtual-time.ts";

export interface ServerOptions {
  readonly machine: Machine;
  readonly auditor: Auditor;
  readonly plant: Plant;
  readonly profile: Profile;
  readonly seed: number;
}

const stream = 5;
/**
 * Starts that may fail or be killed one after another, before faults and kills are held back for
 * one: where a start takes longer than it is between two crashes, none would come to its end.
 */
const failedStartCountMax = 2;
/** The time between two looks at whether all requests are answered. */
const drainMs = 5;
/** The machine is off for so long at most: blobs that are set aside outlast one time, or two. */
const offMsMax = 20 * 24 * 60 * 60 * 1000;

export class Server {
  readonly #options: ServerOptions;
  readonly #random: Random;
  #life: Lifetime | undefined;
  #process: ServerProcess | undefined;
  #isDraining = false;
  #isCalm = false;
  #failedStartCount = 0;
  /** What the start has found in the store. */
  #found: Unswept | undefined;
  /** Whether the start has come to sweep the blobs. */
  #hasSwept = false;
  /** Faults that had struck when the process was opened. */
  #faultCountBefore = 0;
  crashCount = 0;
  restartCount = 0;

  constructor(options: ServerOptions) {
    this.#options = options;
    this.#random = new SeededRandom(options.seed, stream);
    options.machine.onSwept = () => {
      this.#hasSwept = true;
      options.auditor.checkOrphans();
      if (this.#found !== undefined) options.auditor.checkQuarantine(this.#found);
    };
    this.#plan(options.profile.crashMs, () => this.crash());
    this.#plan(options.profile.restartMs, () => this.restart());
    this.#plan(options.profile.flipMs, () => void options.machine.flip());
    this.#plan(options.profile.rotMs, () => {
      const rotten = options.machine.rot();
      if (rotten !== undefined) options.auditor.rotted(rotten);
    });
  }

  /** Whether requests are taken. */
  get isOpen(): boolean {
    return this.#process !== undefined && !this.#isDraining;
  }

  /** The process that takes requests now. */
  get process(): ServerProcess | undefined {
    return this.isOpen ? this.#process : undefined;
  }

  /** Nothing happens to it from now on but what is asked for. */
  beCalm(): void {
    this.#isCalm = true;
  }

  start(): void {
    const { machine, auditor, plant } = this.#options;
    const life = new Lifetime(machine.time);
    this.#life = life;
    this.#hasSwept = false;
    this.#found = auditor.beforeSweep();
    auditor.startStep = machine.time.step;
    auditor.isBetweenRuns = true;
    machine.faults.areOff = this.#isCalm || this.#failedStartCount > failedStartCountMax;
    machine.trace.say(`${machine.time.step} start`);
    void startProcess(machine, { life, plant }).then(
      (process) => {
        machine.trace.say(`${machine.time.step} open`);
        machine.faults.areOff = this.#isCalm;
        this.#failedStartCount = 0;
        this.#process = process;
        auditor.isBetweenRuns = false;
        this.#faultCountBefore = machine.faults.count;
      },
      (error: unknown) => {
        machine.trace.say(`${machine.time.step} cannot start: ${String(error)}`);
        this.#failedStartCount += 1;
        if (machine.faults.areOff) auditor.fail(`it does not start: ${String(error)}`);
        else this.#end();
      },
    );
  }

  /** Kills the process: what was not synced may be lost. */
  crash(): void {
    const { machine } = this.#options;
    if (this.#life?.isOver !== false) return;
    if (this.#process === undefined) {
      if (this.#failedStartCount > failedStartCountMax) return;
      this.#failedStartCount += 1;
    }
    this.crashCount += 1;
    machine.trace.say(`${machine.time.step} crash`);
    this.#end();
  }

  /** Stops as it is told to, after the requests that are under way, and starts again. */
  restart(): void {
    const { machine, auditor } = this.#options;
    const { process } = this;
    if (process === undefined) return;
    this.restartCount += 1;
    this.#isDraining = true;
    auditor.isBetweenRuns = true;
    machine.trace.say(`${machine.time.step} stop`);
    const stopped = (): void => {
      // Of a row that has rotted nobody knows what it has named.
      const isUnhurt = machine.faults.count === this.#faultCountBefore && !machine.hasRotted;
      if (this.#hasSwept && isUnhurt && auditor.isQuiet) auditor.checkOrphans();
      this.#end();
    };
    void process
      .stop(() => this.#answered())
      .then(stopped, (error: unknown) => auditor.fail(`it does not stop: ${String(error)}`));
  }

  /** Resolves when nobody waits for an answer any more. */
  async #answered(): Promise<void> {
    const { auditor } = this.#options;
    while (auditor.waitingCount > 0) await pause(present(this.#life, "it runs"), drainMs);
  }

  #end(): void {
    const { machine, auditor } = this.#options;
    this.#life?.end();
    this.#process = undefined;
    this.#isDraining = false;
    machine.crash();
    auditor.processEnded();
    auditor.isBetweenRuns = true;
    if (this.#random.uniform() < this.#options.profile.offShare) {
      machine.time.skip(this.#random.uniform() * offMsMax);
      machine.trace.say(`${machine.time.step} was off until ${machine.time.nowMs}`);
    }
    machine.time.after(1 + this.#random.integer(100), () => this.start());
  }

  /** Happens again and again, at times that nobody can foresee; never with a mean of 0. */
  #plan(meanMs: number, happen: () => void): void {
    if (meanMs === 0) return;
    const delayMs = -Math.log(1 - this.#random.uniform()) * meanMs;
    this.#options.machine.time.after(delayMs, () => {
      if (this.#isCalm) return;
      happen();
      this.#plan(meanMs, happen);
    });
  }
}
