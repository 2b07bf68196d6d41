/**
 * A run: one seed's machine, its clients, and everything that goes wrong. It has two phases, as
 * TigerBeetle's simulator has: first whatever comes, and nothing may be violated; then calm, in
 * which what was begun must come to its end, and all that was acknowledged be there.
 */
import type { BaseWeights } from "../../src/checkpoints/base-weights.ts";
import { takeThread } from "../../src/foundation/turn.ts";
import { Auditor } from "./auditor.ts";
import { Clients } from "./clients.ts";
import { Machine, type MachineOptions } from "./machine.ts";
import { type Plant, soundProduct } from "./planted.ts";
import { profileOf } from "./profile.ts";
import { References } from "./references.ts";
import { Server } from "./server.ts";
import { tinyWeights } from "./tiny-base.ts";
import { Trace } from "./trace.ts";

export interface RunOptions {
  readonly seed: number;
  /** How many operations the clients begin before it becomes calm. */
  readonly operationCount: number;
  readonly plant?: Plant;
  /** Gets each line of the trace. */
  readonly onLine?: (line: string) => void;
}

export interface RunReport {
  readonly seed: number;
  /** The digest of the whole trace: equal for equal seeds. */
  readonly digest: string;
  readonly operations: number;
  /** Versions that jobs have trained and published. */
  readonly published: number;
  readonly crashes: number;
  readonly restarts: number;
  /** Jobs whose model was deleted before they had ended. */
  readonly disturbedJobs: number;
  readonly faults: number;
  readonly violation: string | undefined;
  /** The end of the trace. */
  readonly lastLines: readonly string[];
}

/** More events than any run takes that comes to an end. */
const eventCountMax = 2_000_000;

let known: Promise<{ readonly weights: BaseWeights; readonly references: References }> | undefined;

/** What all runs share: the base, and what versions answer when they are alone. */
async function shared() {
  const weights = await tinyWeights();
  return { weights, references: await References.create(weights) };
}

export async function simulate(options: RunOptions): Promise<RunReport> {
  const { weights, references } = await (known ??= shared());
  const { seed, operationCount, plant = soundProduct, onLine } = options;
  const trace = new Trace(onLine);
  const profile = { ...profileOf(seed), ...plant.world };
  trace.say(`seed ${seed}, ${JSON.stringify(profile)}`);
  // The machine tells the auditor, who looks at the machine.
  const onCommit: MachineOptions["onCommit"] = (changes) => auditor.apply(changes);
  const machine = new Machine({ seed, ...profile, weights, trace, onCommit });
  const auditor = new Auditor(machine, references);
  const server = new Server({ machine, auditor, plant, profile, seed });
  const clients = new Clients({ machine, auditor, server, profile, seed, operationCount });
  const onRejection = (reason: unknown): void => auditor.fail(`nobody caught: ${String(reason)}`);
  process.on("unhandledRejection", onRejection);
  try {
    server.start();
    clients.start();
    await until(machine, auditor, () => clients.areDone);
    await comeToRest({ machine, auditor, server, clients });
  } finally {
    process.off("unhandledRejection", onRejection);
    takeThread();
    machine.catalog.close();
  }
  return {
    seed,
    digest: trace.digest,
    operations: clients.beganCount + server.crashCount + server.restartCount,
    published: sum(auditor.ledgers.map(({ publishedCount }) => publishedCount)),
    crashes: server.crashCount,
    restarts: server.restartCount,
    disturbedJobs: sum(auditor.ledgers.map(({ disturbedCount }) => disturbedCount)),
    faults: machine.faults.count,
    violation: auditor.violation,
    lastLines: trace.lastLines,
  };
}

/** Lets time go on until it is so, or something is violated. */
async function until(machine: Machine, auditor: Auditor, isSo: () => boolean): Promise<void> {
  while (auditor.violation === undefined && !isSo()) {
    if (!(await machine.time.advance())) auditor.fail(nothingDue(auditor));
    if (machine.time.step > eventCountMax) auditor.fail("it does not come to an end");
  }
}

function nothingDue(auditor: Auditor): string {
  const jobs = auditor.openJobs.map(({ id, status }) => `${id}, ${status.now}`);
  return (
    `nothing is due any more, and ${auditor.waitingCount} requests wait, ` +
    `jobs have not ended: ${jobs.join("; ") || "none"}`
  );
}

interface Parts {
  readonly machine: Machine;
  readonly auditor: Auditor;
  readonly server: Server;
  readonly clients: Clients;
}

/** Nothing breaks any more: jobs end, and after a last restart everything is asked for. */
async function comeToRest({ machine, auditor, server, clients }: Parts): Promise<void> {
  machine.faults.areOff = true;
  machine.time.isCalm = true;
  server.beCalm();
  await until(machine, auditor, () => server.isOpen && auditor.waitingCount === 0);
  await until(machine, auditor, () => auditor.openJobs.length === 0);
  server.restart();
  await until(machine, auditor, () => server.isOpen);
  clients.askForAll();
  await until(machine, auditor, () => clients.areDone);
  auditor.checkBlobs();
}

function sum(counts: readonly number[]): number {
  return counts.reduce((total, count) => total + count, 0);
}
