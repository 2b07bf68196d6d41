/** The reports of `strata plan` and `strata simulate`. */
import type { Plan } from "../placement/placement.ts";
import { type Mix, nameOfFleet } from "../planning/cheapest.ts";
import { deviceCountOf, pricePerHourOf } from "../planning/fleet.ts";
import type { Chart } from "./line-chart.ts";
import { type Report, htmlOf, type ReportTable, percent } from "./reports.ts";
import type { Sweep } from "../planning/sweep.ts";
import type { Score, Verdict } from "../planning/verdict.ts";

export interface PlanReportContent {
  readonly title: string;
  readonly summary: readonly string[];
  readonly plan: Plan;
  readonly verdict: Verdict;
  /** None where a plan stands alone. */
  readonly methods: readonly { readonly name: string; readonly attainment: number }[];
  readonly sweeps: readonly Sweep[];
  /** Choices of nodes that were tried. */
  readonly mixes: readonly Mix[];
  /** Share of all requests to be answered in time. */
  readonly attainment: number;
}

const figureTitles: Readonly<Record<Sweep["axis"]["name"], string>> = {
  rate: "In time, by rate",
  cv: "In time, by burstiness",
  slo: "In time, by deadline",
  devices: "In time, by devices",
};

export function planReport({ methods, verdict, plan, ...rest }: PlanReportContent): string {
  const { sweeps, mixes, attainment } = rest;
  const report: Report = {
    title: rest.title,
    summary: rest.summary,
    legend: sweeps[0]?.curves.map(({ method }) => method) ?? [],
    note: "Dashed: what is to be reached. Dotted: where things stand now.",
    figures: sweeps.map((sweep) => figureOf(sweep, attainment)),
    tables: [
      ...(methods.length > 1 ? [methodTable(methods)] : []),
      ...(mixes.length > 0 ? [mixTable(mixes)] : []),
      groupTable(plan, verdict),
      modelTable(verdict),
    ],
  };
  return htmlOf(report);
}

function figureOf({ axis, curves }: Sweep, target: number): Chart {
  const lines = curves.map(({ method, attainments }, style) => ({
    name: method,
    style,
    points: attainments.map((share, index) => [axis.values[index] ?? 0, share] as const),
  }));
  const { name, title, base } = axis;
  return { title: figureTitles[name], xTitle: title, lines, target, base };
}

const scoreTitles = ["requests", "in time", "mean", "p50", "p99"];

function methodTable(methods: PlanReportContent["methods"]): ReportTable {
  const rows = methods.map(({ name, attainment }) => [name, percent(attainment)]);
  return { title: "Methods", titles: ["method", "in time"], rows };
}

function mixTable(mixes: readonly Mix[]): ReportTable {
  const rows = mixes.map(({ fleet, attainment }) => [
    nameOfFleet(fleet),
    String(deviceCountOf(fleet)),
    (pricePerHourOf(fleet) ?? 0).toFixed(2),
    percent(attainment),
  ]);
  return { title: "Nodes", titles: ["nodes", "devices", "per hour", "in time"], rows };
}

function modelTable({ models }: Verdict): ReportTable {
  const rows = models.map((score) => [score.name, ...scoreCells(score)]);
  return { title: "Models", titles: ["model", ...scoreTitles], rows };
}

function groupTable({ groups }: Plan, verdict: Verdict): ReportTable {
  const rows = groups.map(({ devices, configuration, units }, index) => {
    const { stageCount, intraOp } = configuration;
    const score = verdict.groups[index];
    return [
      units.join(", "),
      devices.join(", "),
      `${stageCount} × ${intraOp}`,
      ...(score === undefined ? [] : scoreCells(score)),
    ];
  });
  return {
    title: "Groups",
    titles: ["models", "devices", "stages × devices", ...scoreTitles],
    rows,
  };
}

function scoreCells(score: Score): readonly string[] {
  const { requestCount, attainment, meanSeconds, p50Seconds, p99Seconds } = score;
  const times = [meanSeconds, p50Seconds, p99Seconds].map((s) => `${(1000 * s).toFixed(1)} ms`);
  return [String(requestCount), percent(attainment), ...times];
}
