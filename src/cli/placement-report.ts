/** What the placement commands print: who runs where, how much is in time, and what if not. */
import type {
  GroupScore,
  NamedScore,
  PlacementScore,
  PlanReport,
  ProfileReport,
  SimulationReport,
  SweepReport,
  WhatIf,
} from "./local-commands.ts";
import { formatBytes, type Output } from "./output.ts";

/** Rows of models; the worst ones are shown. */
const modelCountMax = 20;
const unitCountMax = 6;

export async function printPlan(
  output: Output,
  report: PlanReport,
  asked: readonly WhatIf[],
): Promise<void> {
  const { methods, objective, attainment, deviceCount, pricePerHour, mixes } = report;
  await printScores(output, report);
  output.line();
  const shares = methods.map((method) => [method.name, percent(method.attainment)]);
  await output.table(["method", "in time"], shares);
  for (const sweep of report.sweeps) {
    if (!asked.some(({ axis }) => axis === sweep.axis.name)) continue;
    output.line();
    await printSweep(output, sweep);
  }
  if (mixes.length > 0) {
    output.line();
    const cells = mixes.map((mix) => [
      `${mix.nodes}${mix.isCheapest ? " (cheapest)" : ""}`,
      String(mix.deviceCount),
      price(mix.pricePerHour),
      percent(mix.attainment),
    ]);
    await output.table(["nodes", "devices", "per hour", "in time"], cells);
  }
  const paint = await output.painter();
  const isReached = attainment >= objective;
  const state = `${percent(attainment)} in time, the objective is ${percent(objective)}`;
  const cost = pricePerHour === undefined ? "" : `, ${price(pricePerHour)} per hour`;
  output.line();
  const devices = `${deviceCount} ${deviceCount === 1 ? "device" : "devices"}`;
  output.line(paint(isReached ? "green" : "yellow", `${state}; ${devices}${cost}.`));
  output.line(`The plan is in ${report.plan}`);
  printReportPath(output, report);
}

export async function printSimulation(output: Output, report: SimulationReport): Promise<void> {
  await printScores(output, report);
  printReportPath(output, report);
}

async function printScores(output: Output, report: SimulationReport): Promise<void> {
  const { groups, models } = report;
  const groupCells = groups.map((group, index) => [String(index), ...placeOf(group)]);
  const isEmpty = groups.length === 0;
  if (isEmpty) output.line("No model is placed: none fits, or none is asked for.");
  else
    await output.table(["group", "devices", "stages × each", "models", ...scoreHead], groupCells);
  output.line();
  const worst = models.toSorted((a, b) => a.attainment - b.attainment).slice(0, modelCountMax);
  await output.table(["model", ...scoreHead], [...worst, all(report)].map(namedCells));
  if (worst.length < models.length)
    output.line(`The other ${models.length - worst.length} models fare no worse.`);
}

function all(report: PlacementScore): NamedScore {
  return { ...report, name: "all" };
}

function printReportPath(output: Output, { report }: SimulationReport): void {
  if (report !== undefined) output.line(`The pictures are in ${report}`);
}

async function printSweep(output: Output, { axis, curves }: SweepReport): Promise<void> {
  const doneCount = curves[0]?.attainments.length ?? 0;
  const rows = axis.values
    .slice(0, doneCount)
    .map((value, index) => [
      String(Number(value.toPrecision(4))),
      ...curves.map(({ attainments }) => percent(attainments[index] ?? 0)),
    ]);
  await output.table([axis.title, ...curves.map(({ method }) => method)], rows);
}

export async function printProfile(output: Output, report: ProfileReport): Promise<void> {
  const cells = report.configurations.map(({ intraOp, stageCount, stageSeconds, stageBytes }) => [
    String(intraOp),
    String(stageCount),
    seconds(stageSeconds.reduce((a, b) => a + b, 0)),
    seconds(Math.max(...stageSeconds)),
    formatBytes(Math.max(...stageBytes)),
  ]);
  await output.table(["cores", "stages", "latency", "slowest stage", "largest"], cells);
  output.line(`The profile is in ${report.profile}`);
}

const scoreHead = ["requests", "in time", "mean", "p50", "p99"];

function cellsOf(score: PlacementScore): readonly string[] {
  const { requestCount, attainment, meanSeconds, p50Seconds, p99Seconds } = score;
  const times = [meanSeconds, p50Seconds, p99Seconds].map(seconds);
  return [String(requestCount), percent(attainment), ...times];
}

function namedCells(score: NamedScore): readonly string[] {
  return [score.name, ...cellsOf(score)];
}

function placeOf(group: GroupScore): readonly string[] {
  const { devices, configuration, units } = group;
  const { intraOp, stageCount } = configuration;
  const more = units.length > unitCountMax ? ` + ${units.length - unitCountMax}` : "";
  return [
    rangesOf(devices),
    `${stageCount} × ${intraOp}`,
    `${units.slice(0, unitCountMax).join(" ")}${more}`,
    ...cellsOf(group),
  ];
}

/** `0-3 6` for 0, 1, 2, 3, 6. */
function rangesOf(numbers: readonly number[]): string {
  const ranges: [number, number][] = [];
  for (const number of numbers) {
    const last = ranges.at(-1);
    if (last?.[1] === number - 1) last[1] = number;
    else ranges.push([number, number]);
  }
  return ranges.map(([from, to]) => (from === to ? `${from}` : `${from}-${to}`)).join(" ");
}

function percent(share: number): string {
  return `${(100 * share).toFixed(2)} %`;
}

function seconds(value: number): string {
  return value < 1 ? `${(1000 * value).toPrecision(3)} ms` : `${value.toPrecision(3)} s`;
}

function price(value: number): string {
  return value.toFixed(2);
}
