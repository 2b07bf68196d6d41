/** What the demo found out, and how it is printed. */
import type { Output } from "../cli/output.ts";
import { formatBytes } from "../cli/output.ts";
import type { LoadReport } from "./load.ts";

export interface TaskReport {
  readonly name: string;
  readonly title: string;
  readonly source: string;
  readonly labelCount: number;
  readonly trainCount: number;
  readonly testCount: number;
  /** Share of test texts that get their label, in [0, 1]. */
  readonly instantAccuracy: number;
  readonly trainedAccuracy: number;
  /** The kind of the version that answers: the better one on a part that training held out. */
  readonly served: string;
  readonly createMs: number;
  readonly trainMs: number;
}

export interface DemoReport {
  readonly tasks: readonly TaskReport[];
  readonly modelCount: number;
  readonly derivedCount: number;
  readonly distinctDigestCount: number;
  readonly bytesPerModel: number;
  readonly load: LoadReport & { readonly clientCount: number; readonly calledModelCount: number };
  /** Resident memory of the process: engine, server and the demo's clients together. */
  readonly memoryBytes: number;
  readonly totalMs: number;
}

export async function printReport(report: DemoReport, output: Output): Promise<void> {
  const { load } = report;
  const paint = await output.painter();
  output.line();
  output.line(paint("bold", "Accuracy on texts that training has not seen"));
  await output.table(
    ["model", "labels", "train", "test", "instant", "made in", "trained", "made in", "serves"],
    report.tasks.map((task) => [
      task.name,
      String(task.labelCount),
      String(task.trainCount),
      String(task.testCount),
      percent(task.instantAccuracy),
      seconds(task.createMs),
      percent(task.trainedAccuracy),
      seconds(task.trainMs),
      task.served,
    ]),
  );
  output.line();
  output.line(paint("bold", `${report.modelCount} models from one engine`));
  const rows: readonly (readonly [string, string])[] = [
    ["sequences per second", load.sequencesPerSecond.toFixed(0)],
    ["latency p50 / p99", `${load.p50Ms.toFixed(0)} / ${load.p99Ms.toFixed(0)} ms`],
    ["requests", `${load.requestCount} from ${load.clientCount} clients, one text each`],
    ["told to come back", `${load.refusalCount} times, and came back`],
    ["models called", `${load.calledModelCount} of ${report.modelCount}, by Zipf's law`],
    ["distinct digests", `${report.distinctDigestCount} of ${report.modelCount}`],
    ["bytes per model", formatBytes(report.bytesPerModel)],
    ["memory of it all", formatBytes(report.memoryBytes)],
  ];
  for (const [name, value] of rows) output.line(`${name.padEnd(22)}${value}`);
  output.line();
  output.line(`${report.derivedCount} of the models are the trained ones with seeded noise added:`);
  output.line("other bytes, the same tasks.");
  output.line(`All of it took ${seconds(report.totalMs)}.`);
}

export function percent(share: number): string {
  return `${(100 * share).toFixed(1)} %`;
}

export function seconds(ms: number): string {
  return `${(ms / 1000).toFixed(1)} s`;
}
