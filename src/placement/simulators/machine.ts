/**
 * Stages at work on a virtual clock. Each serves in order of entry; where devices share memory or
 * arithmetic units, how fast a stage works depends on how many work.
 */
import type { Agenda } from "./agenda.ts";

/** How fast a stage works while so many do, over the speed at which it was measured. */
export type SpeedOf = (busyCount: number) => number;

/** Owns what runs; every change of their number changes how long the others still take. */
export class Machine {
  readonly #agenda: Agenda;
  readonly #speedOf: SpeedOf;
  readonly #running = new Set<Work>();

  constructor(agenda: Agenda, speedOf: SpeedOf = () => 1) {
    this.#agenda = agenda;
    this.#speedOf = speedOf;
  }

  /** `seconds` as measured. */
  start(seconds: number, onEnd: () => void): void {
    const busyCount = this.#running.size + 1;
    this.#pace(busyCount);
    const finishSeconds = this.#agenda.nowSeconds + seconds / this.#speedOf(busyCount);
    const work = { finishSeconds, onEnd };
    this.#running.add(work);
    this.#await(work);
  }

  #await(work: Work): void {
    const { finishSeconds } = work;
    this.#agenda.at(finishSeconds, () => {
      const isMoved = work.finishSeconds !== finishSeconds;
      if (isMoved || !this.#running.delete(work)) return;
      this.#pace(this.#running.size, this.#running.size + 1);
      work.onEnd();
    });
  }

  /** What runs goes on at the speed of so many. */
  #pace(busyCount: number, before = this.#running.size): void {
    const ratio = this.#speedOf(before) / this.#speedOf(busyCount);
    if (ratio === 1) return;
    const now = this.#agenda.nowSeconds;
    for (const work of this.#running) {
      work.finishSeconds = now + (work.finishSeconds - now) * ratio;
      this.#await(work);
    }
  }
}

interface Work {
  finishSeconds: number;
  readonly onEnd: () => void;
}

/** A queue before one device; owns its order. */
export class Stage {
  readonly #machine: Machine;
  readonly #queue: (() => void)[] = [];
  #isBusy = false;

  constructor(machine: Machine) {
    this.#machine = machine;
  }

  enter(seconds: number, onEnd: () => void): void {
    this.#queue.push(() => {
      this.#machine.start(seconds, () => {
        this.#isBusy = false;
        onEnd();
        this.#next();
      });
    });
    this.#next();
  }

  #next(): void {
    if (this.#isBusy) return;
    const start = this.#queue.shift();
    if (start === undefined) return;
    this.#isBusy = true;
    start();
  }
}
