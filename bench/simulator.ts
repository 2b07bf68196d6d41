/**
 * Claim `simulator`: the kernel reproduces AlpaServe's simulator request by request, and its
 * published figures, at ten million requests a second; the event simulator its controller.
 */
import { present } from "../src/foundation/assert.ts";
import { simulateBatching } from "../src/placement/simulators/batching.ts";
import { simulate } from "../src/placement/simulators/events.ts";
import { Kernel } from "../src/placement/simulators/kernel.ts";
import {
  alpaserveProfile,
  idealProfile,
  type Outcomes,
  type SimulationProfile,
} from "../src/placement/placement.ts";
import { reportOf } from "../src/placement/report.ts";
import type { BenchOptions, BenchResult } from "./claim.ts";
import { machine, round, type Spread, spreadOf } from "./measure.ts";
import {
  placementCases,
  readAzureRows,
  readPublishedRows,
  readSimulationCases,
  type ReferenceRow,
  type Scene,
  type SimulationCase,
} from "./placement-cases.ts";

/** The cases give times to 9 decimals. */
const finishSecondsError = 1e-9;
const exactKinds = ["fast_sim", "fast_sim_single_stage", "event_driven"];
const trimSeconds = 10;

export function benchSimulator({ isQuick }: BenchOptions): Promise<BenchResult> {
  const folder = placementCases();
  if (folder === undefined)
    return Promise.resolve({ skipped: "the reference cases are not beside this checkout" });
  const cases = readSimulationCases(folder);
  const exact = cases.filter(({ kind }) => exactKinds.includes(kind));
  const rows = readPublishedRows(folder);
  const azure = readAzureRows(folder);
  const matching = rows.filter(
    (row) => Math.abs(attainmentOf(row, trimSeconds) - row.attainment) < 5.001e-4,
  );
  const speed = measureSpeed(rows, isQuick ? 15 : 45);
  return Promise.resolve({
    casesExact: exact.filter(isExact).length,
    casesExactWanted: exact.length,
    rowsMatched: matching.length,
    rowsWanted: rows.length,
    azureErrorMax: errorMax(azure.map((row) => attainmentOf(row) - row.attainment)),
    requestsPerSecond: speed.processor.median * 1e6,
    targets: { azureErrorMax: 3e-4, requestsPerSecond: 1e7 },
    batching: batching(cases),
    eventsVsKernelMax: eventsVsKernel(rows.filter((_, index) => index % 10 === 0)),
    azureRows: azure.length,
    millionRequestsPerSecond: speed,
    howMeasured:
      "one thread; a round runs the kernel once over every published row, set-up of the " +
      "placement included, reading of the files not; requests over the processor time of the " +
      "whole process, which other work on the machine does not prolong; the median of the rounds",
    machine: machine(),
  });
}

function isExact(reference: SimulationCase): boolean {
  const { isGood, finishSeconds } = outcomesOf(reference);
  const { expected } = reference;
  return (
    expected.isGood.length === isGood.length &&
    expected.isGood.every((good, request) => good === (isGood[request] === 1)) &&
    expected.finishSeconds.every(
      (seconds, request) =>
        Math.abs(seconds - (finishSeconds[request] ?? NaN)) <= finishSecondsError,
    )
  );
}

function outcomesOf({ kind, scene, constants }: SimulationCase): Outcomes {
  if (kind === "event_driven")
    return simulate({ ...scene, profile: eventProfile(constants), dispatching: "in-flight" });
  if (kind === "fast_sim_batching")
    return simulateBatching({ ...scene, profile: alpaserveProfile });
  const kernel = kernelOf(scene);
  kernel.run(scene.layouts, { isSingleStage: kind === "fast_sim_single_stage" });
  return kernel.outcomes;
}

function eventProfile(constants: Readonly<Record<string, number>>): SimulationProfile {
  const constant = (name: string): number => present(constants[name], `a case tells ${name}`);
  return {
    ...idealProfile,
    name: "reference",
    receiveSeconds: constant("http_overhead_s"),
    dispatchSeconds: constant("dispatch_overhead_s"),
    startSeconds: constant("runtime_overhead_s"),
    slackSeconds: constant("admission_fixed_overhead_s"),
  };
}

function kernelOf(scene: Scene): Kernel {
  return new Kernel({ ...scene, profile: alpaserveProfile });
}

function attainmentOf({ scene }: ReferenceRow, trimmed = 0): number {
  const kernel = kernelOf(scene);
  kernel.run(scene.layouts);
  return attainment(scene, kernel.outcomes, trimmed);
}

function attainment(scene: Scene, outcomes: Outcomes, trimmed = 0): number {
  const { units, layouts, arrivals } = scene;
  const counts = { unitCount: units.length, groupCount: layouts.length };
  return reportOf(arrivals, outcomes, { ...counts, trimSeconds: trimmed }).attainment;
}

/** The reference has quirks here: what is compared is the share in time. */
function batching(cases: readonly SimulationCase[]): Readonly<Record<string, number>> {
  const soft = cases.filter(({ kind }) => kind === "fast_sim_batching");
  const errors = soft.map((reference) => {
    const outcomes = outcomesOf(reference);
    return attainment(reference.scene, outcomes) - reference.expected.attainment;
  });
  return { cases: soft.length, attainmentErrorMax: errorMax(errors) };
}

/** How far the kernel is from dispatch by requests in flight, with delays on the way. */
function eventsVsKernel(rows: readonly ReferenceRow[]): number {
  const profile = { ...alpaserveProfile, receiveSeconds: 0.0025, dispatchSeconds: 0.0025 };
  const events = { ...profile, startSeconds: 0.006, slackSeconds: 0.006 };
  return errorMax(
    rows.map((row) => {
      const outcomes = simulate({ ...row.scene, profile: events, dispatching: "in-flight" });
      return attainment(row.scene, outcomes) - attainmentOf(row);
    }),
  );
}

/** Millions of requests per second of processor time, and of the clock on the wall. */
function measureSpeed(
  rows: readonly ReferenceRow[],
  roundCount: number,
): Readonly<Record<"processor" | "wall", Spread>> {
  const kernels = rows.map(({ scene }) => ({ kernel: kernelOf(scene), layouts: scene.layouts }));
  const requestCount = rows.reduce((sum, { scene }) => sum + scene.arrivals.seconds.length, 0);
  const [processor, wall]: [number[], number[]] = [[], []];
  // The first rounds compile.
  for (let turn = -2; turn < roundCount; turn++) {
    const [start, used] = [performance.now(), process.cpuUsage()];
    for (const { kernel, layouts } of kernels) kernel.run(layouts);
    const { user, system } = process.cpuUsage(used);
    if (turn < 0) continue;
    processor.push(requestCount / (user + system));
    wall.push(requestCount / (performance.now() - start) / 1000);
  }
  return { processor: spreadOf(processor), wall: spreadOf(wall) };
}

function errorMax(errors: readonly number[]): number {
  return round(Math.max(0, ...errors.map(Math.abs)));
}
