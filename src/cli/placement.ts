/** Commands that plan which models share which devices: plan, simulate, profile. */
import type { Command } from "commander";
import { InvalidArgumentError, Option } from "commander";
import { StrataError } from "../foundation/errors.ts";
import { limits } from "../foundation/limits.ts";
import type { CommandContext, SharedOptions } from "./command-context.ts";
import { integerBetween, outputOf, positiveNumber, shared } from "./command-context.ts";
import type {
  DemandOptions,
  PlanProgress,
  PlanReport,
  ProfileReport,
  SimulationReport,
  WhatIf,
} from "./local-commands.ts";
import { whatIfAxes } from "./local-commands.ts";
import type { Output } from "./output.ts";
import { printPlan, printProfile, printSimulation } from "./placement-report.ts";

export function addPlacementCommands(program: Command, context: CommandContext): void {
  addPlan(program, context);
  addSimulate(program, context);
  addProfile(program, context);
}

interface DemandFlags extends SharedOptions {
  readonly trace?: string;
  readonly deal?: DemandOptions["dealing"];
  readonly window: number;
  readonly duration?: number;
  readonly seed: number;
  readonly profileName?: DemandOptions["simulation"];
  readonly batching?: boolean;
}

function demandFlags(command: Command): Command {
  const deal = new Option("--deal <how>", "deal a trace's functions out to the models");
  const profile = new Option("--profile-name <name>", "overheads of the simulator");
  return command
    .option("--trace <file>", "CSV of requests (default: drawn by the models' rates)")
    .addOption(deal.choices(["stripe", "blocks"]))
    .option("--window <seconds>", "over which a trace's rate is constant", positiveNumber, 60)
    .option(
      "--duration <seconds>",
      "of what is drawn by rates (default: for 10,000)",
      positiveNumber,
    )
    .option("--seed <number>", "same seed, same outcome", integerBetween(0, 2 ** 31 - 2), 0)
    .addOption(profile.choices(["measured", "ideal", "alpaserve"]))
    .option("--batching", "let groups batch what waits");
}

function demandOptions(flags: DemandFlags, { surroundings }: CommandContext): DemandOptions {
  return {
    home: flags.home,
    signal: surroundings.signal,
    tracePath: flags.trace,
    dealing: flags.deal,
    windowSeconds: flags.window,
    durationSeconds: flags.duration,
    seed: flags.seed,
    simulation: flags.profileName,
    isBatching: flags.batching === true,
  };
}

interface PlanFlags extends DemandFlags {
  readonly models: string;
  readonly cluster: string;
  readonly sloScale: number;
  readonly sloSeconds?: number;
  readonly attainment: number;
  readonly seconds?: number;
  readonly out: string;
  readonly pictures: boolean;
  readonly whatIf?: readonly WhatIf[];
  readonly cheapest?: boolean;
}

function addPlan(program: Command, context: CommandContext): void {
  const command = program
    .command("plan")
    .description(
      "Plan which models share which devices, so that most requests are answered in time. " +
        "Ctrl-C keeps the best plan so far.",
    )
    .requiredOption("--models <file>", "JSON: models, their profiles and rates")
    .requiredOption("--cluster <file>", "JSON: nodes, devices, memory, prices")
    .option("--slo-scale <x>", "deadline, times what a request takes alone", positiveNumber, 5)
    .option("--slo-seconds <s>", "deadline in seconds instead", positiveNumber)
    .option("--attainment <share>", "share of requests to be in time", share, 0.99)
    .option("--seconds <number>", "budget of the search (default: until it ends)", positiveNumber);
  demandFlags(command)
    .option("--out <folder>", "for plan.json and report.html", "plan")
    .option("--no-pictures", "write no report.html")
    .option("--what-if <axis=values>", `${whatIfAxes.join(", ")}; may be repeated`, whatIf)
    .option("--cheapest", "find the cheapest nodes that reach the attainment")
    .action(async (flags: PlanFlags) => {
      const output = outputOf(context, flags);
      const report = await planWithProgress(flags, context, output);
      await output.result(report, () => printPlan(output, report, flags.whatIf ?? []));
      if (report.isInterrupted)
        throw new StrataError(
          "CANCELLED",
          `Cannot finish: stopped; ${report.plan} is the best yet`,
        );
    });
  shared(command, context, [
    "strata plan --models models.json --cluster cluster.json",
    "strata plan --models models.json --cluster cluster.json --trace trace.csv --slo-scale 3",
    "strata plan --models models.json --cluster cluster.json --what-if devices=4,8,16 --cheapest",
  ]);
}

async function planWithProgress(
  flags: PlanFlags,
  context: CommandContext,
  output: Output,
): Promise<PlanReport> {
  const options = {
    ...demandOptions(flags, context),
    modelsPath: flags.models,
    clusterPath: flags.cluster,
    sloScale: flags.sloScale,
    sloSeconds: flags.sloSeconds,
    attainment: flags.attainment,
    searchSeconds: flags.seconds,
    outFolder: flags.out,
    hasPictures: flags.pictures,
    whatIf: flags.whatIf ?? [],
    findsCheapest: flags.cheapest === true,
  };
  return withProgress("plan", output, (onProgress) => context.commands.plan(options, onProgress));
}

async function withProgress<T>(
  title: string,
  output: Output,
  act: (onProgress: (progress: PlanProgress) => void) => Promise<T>,
): Promise<T> {
  const bar = await output.progress({ title, total: 100 });
  try {
    return await act(({ step, doneShare, text }) =>
      bar.update(100 * doneShare, `${step}: ${text}`),
    );
  } finally {
    bar.close();
  }
}

interface SimulateFlags extends DemandFlags {
  readonly models?: string;
  readonly dispatch: "clocks" | "in-flight";
  readonly report?: string;
}

function addSimulate(program: Command, context: CommandContext): void {
  const dispatch = new Option("--dispatch <how>", "what a request's group is chosen by");
  const command = program
    .command("simulate")
    .argument("<plan>", "plan.json of `strata plan`")
    .description("Tell how a plan fares with other requests.")
    .option("--models <file>", "JSON with rates that replace the plan's")
    .addOption(dispatch.choices(["clocks", "in-flight"]).default("clocks"));
  demandFlags(command)
    .option("--report <file>", "HTML report with pictures")
    .action(async (planPath: string, flags: SimulateFlags) => {
      const output = outputOf(context, flags);
      const options = {
        ...demandOptions(flags, context),
        planPath,
        modelsPath: flags.models,
        dispatching: flags.dispatch,
        reportPath: flags.report,
      };
      const report: SimulationReport = await withProgress("simulate", output, (onProgress) =>
        context.commands.simulate(options, onProgress),
      );
      await output.result(report, () => printSimulation(output, report));
      if (report.isInterrupted)
        throw new StrataError("CANCELLED", "Cannot finish: stopped; pictures are incomplete");
    });
  shared(command, context, [
    "strata simulate plan/plan.json --seed 7 --report simulation.html",
    "strata simulate plan/plan.json --trace tomorrow.csv --dispatch in-flight",
  ]);
}

interface ProfileFlags extends SharedOptions {
  readonly out?: string;
  readonly precision: "int8" | "fp32";
  readonly cores?: readonly number[];
  readonly batches?: readonly number[];
  readonly tokens?: readonly number[];
}

function addProfile(program: Command, context: CommandContext): void {
  const precision = new Option("--precision <name>", "arithmetic of the frozen layers");
  const command = program
    .command("profile")
    .argument("<name>", "a base model that has been pulled")
    .description("Measure a base on this machine, layer by layer, for `strata plan`.")
    .option("--out <file>", "JSON (default: NAME.json)")
    .addOption(precision.choices(["int8", "fp32"]).default("int8"))
    .option("--cores <counts>", "such as 1,2 (default: powers of two up to all)", counts(1_024))
    .option("--batches <sizes>", "such as 1,4,16", counts(limits.batchSequenceCountMax))
    .option("--tokens <counts>", "of each text, such as 32,128", counts(limits.batchTokensMax))
    .action(async (name: string, flags: ProfileFlags) => {
      const output = outputOf(context, flags);
      const options = {
        home: flags.home,
        signal: context.surroundings.signal,
        name,
        outPath: flags.out ?? `${name.replace(/^.*[/\\]/, "")}.json`,
        precision: flags.precision,
        coreCounts: flags.cores,
        batchSizes: flags.batches,
        tokenCounts: flags.tokens,
      };
      const report: ProfileReport = await withProgress("profile", output, (onProgress) =>
        context.commands.profile(options, onProgress),
      );
      await output.result(report, () => printProfile(output, report));
    });
  shared(command, context, [
    "strata profile all-MiniLM-L6-v2 --out minilm.json",
    "strata profile all-MiniLM-L6-v2 --cores 1,2 --batches 1,8 --tokens 64",
  ]);
}

function share(text: string): number {
  const value = Number(text);
  if (value > 0 && value <= 1) return value;
  throw new InvalidArgumentError("Expected a share above 0, at most 1.");
}

function counts(max: number): (text: string) => readonly number[] {
  const count = integerBetween(1, max);
  return (text) => listOf(text, count);
}

const whatIfReaders: Readonly<Record<WhatIf["axis"], (text: string) => number>> = {
  rate: positiveNumber,
  cv: positiveNumber,
  slo: positiveNumber,
  devices: integerBetween(1, limits.planDeviceCountMax),
};

function whatIf(text: string, before: readonly WhatIf[] = []): readonly WhatIf[] {
  const [, name, values = ""] = /^(\w+)=(.*)$/.exec(text) ?? [];
  const axis = whatIfAxes.find((known) => known === name);
  if (axis === undefined)
    throw new InvalidArgumentError(`Expected one of ${whatIfAxes.join(", ")}, "=" and numbers.`);
  return [...before, { axis, values: listOf(values, whatIfReaders[axis]) }];
}

function listOf(text: string, read: (text: string) => number): readonly number[] {
  const values = text.split(",").map((part) => read(part.trim()));
  if (values.length <= limits.whatIfValueCountMax) return values;
  throw new InvalidArgumentError(`Expected at most ${limits.whatIfValueCountMax} numbers.`);
}
