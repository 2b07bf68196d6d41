/** `strata plan`, `simulate` and `profile`: reads the files, has it done, writes what came out. */
import { readFile, stat } from "node:fs/promises";
import { availableParallelism } from "node:os";
import { dirname, join, resolve } from "node:path";
import type {
  DemandOptions,
  PlanOptions,
  PlanProgress,
  PlanReport,
  ProfileOptions,
  ProfileReport,
  SimulateOptions,
  SimulationReport,
} from "../cli/local-commands.ts";
import type { Clock } from "../foundation/clock.ts";
import { StrataError, wrapError } from "../foundation/errors.ts";
import { limits } from "../foundation/limits.ts";
import { makeFolder } from "../foundation/make-folder.ts";
import { replaceFile } from "../foundation/replace-file.ts";
import { turn } from "../foundation/turn.ts";
import {
  alpaserveProfile,
  idealProfile,
  type Plan,
  type SimulationProfile,
} from "../placement/placement.ts";
import { search } from "../placement/search/search.ts";
import { checkPrices, nameOfFleet } from "../planning/cheapest.ts";
import { demandOf } from "../planning/demands.ts";
import { deviceCountOf, parseFleet, pricePerHourOf } from "../planning/fleet.ts";
import { deadlinesOf, type Model, type Models, parseModels } from "../planning/model-file.ts";
import { baselinesOf, type Method, type RunSearch } from "../planning/methods.ts";
import { formatPlan, parsePlan } from "../planning/plan-file.ts";
import { planReport } from "../reports/plan-report.ts";
import { planScenario } from "../planning/plan-scenario.ts";
import { planningOf, type Scenario, trialOf } from "../planning/planning.ts";
import { type AxisName, axisNames, axisOf, type Sweep, sweep } from "../planning/sweep.ts";
import { parseTrace } from "../planning/trace-file.ts";
import { judgePlan, type Verdict } from "../planning/verdict.ts";
import { SearchPool } from "./search/search-pool.ts";

export async function planFiles(
  options: PlanOptions,
  clock: Clock,
  onProgress: (progress: PlanProgress) => void,
): Promise<PlanReport> {
  const { hasPictures, outFolder, findsCheapest, signal, searchSeconds } = options;
  const scenario = await readScenario(options);
  if (findsCheapest) checkPrices(scenario.fleet);
  const asked = new Map(options.whatIf.map(({ axis, values }) => [axis, values]));
  const axes = axisNames
    .filter((name) => hasPictures || asked.has(name))
    .map((name) => axisOf(scenario, name, asked.get(name)));
  await makeOutFolder(outFolder);
  const path = join(outFolder, "plan.json");
  const { verdict, plan, ...result } = await planScenario(scenario, {
    runSearch,
    search: { clock, signal, seconds: searchSeconds ?? Infinity },
    baselines: baselinesOf({ windowSeconds: options.windowSeconds, clock, signal }),
    ...{ axes, findsCheapest },
    onPlan: (found) => replaceFile(path, formatPlan(found, scenario)),
    onStep: onProgress,
  });
  const report = hasPictures ? join(outFolder, "report.html") : undefined;
  const { attainment } = scenario;
  if (report !== undefined) {
    const summary = summaryOf(scenario, verdict);
    const content = { title: "Plan", summary, plan, verdict, attainment, ...result };
    await replaceFile(report, planReport(content));
  }
  return {
    ...reportOf(plan, verdict),
    ...{ plan: path, report, objective: attainment },
    ...{ methods: result.methods, sweeps: result.sweeps, isInterrupted: result.isInterrupted },
    deviceCount: deviceCountOf(scenario.fleet),
    pricePerHour: pricePerHourOf(scenario.fleet),
    mixes: result.mixes.map((mix) => ({
      nodes: nameOfFleet(mix.fleet),
      deviceCount: deviceCountOf(mix.fleet),
      pricePerHour: pricePerHourOf(mix.fleet) ?? 0,
      attainment: mix.attainment,
      isCheapest: mix === result.cheapest,
    })),
  };
}

/** Threads take half a second to be there: with fewer requests the search is done by then. */
const threadRequestCountMin = 20_000;

const runSearch: RunSearch = async (planning, options) => {
  if (planning.arrivals.seconds.length < threadRequestCountMin) return search(planning, options);
  const pool = new SearchPool(planning, availableParallelism());
  try {
    return await search(planning, { ...options, runTask: pool.run });
  } finally {
    await pool.close();
  }
};

/** What changes under a plan that stays. */
const simulatedAxes: readonly AxisName[] = ["rate", "cv", "slo"];

export async function simulatePlan(
  options: SimulateOptions,
  onProgress: (progress: PlanProgress) => void,
): Promise<SimulationReport> {
  const { planPath, modelsPath, reportPath, dispatching, seed, signal } = options;
  const stored = await parsePlan(await readPlanning(planPath), planPath);
  const rated = modelsPath === undefined ? stored : await readModels(modelsPath);
  const models = stored.models.map((model) => withLoadOf(model, rated.models));
  const scenario: Scenario = {
    ...stored.scenario,
    ...(await readDemand(options, models)),
    simulation: simulationOf(options, stored.scenario.simulation),
    isBatching: options.isBatching || stored.scenario.isBatching,
    seed,
  };
  const { plan } = stored;
  const judge = { dispatching, trial: trialOf(scenario) };
  const verdict = judgePlan(plan, planningOf(scenario), judge);
  const method: Method = {
    name: "this plan",
    async attain(planning, trial) {
      // Whoever stops it has a turn.
      await turn();
      return judgePlan(plan, planning, { trial, dispatching }).attainment;
    },
  };
  const sweeps: Sweep[] = [];
  if (reportPath !== undefined) {
    const axes = simulatedAxes.map((name) => axisOf(scenario, name));
    const pointCount = axes.reduce((sum, { values }) => sum + values.length, 0);
    let doneCount = 0;
    for (const axis of axes) {
      const onPoint = (value: number): void => {
        const text = `${Number(value.toPrecision(3))} ${axis.title}`;
        onProgress({ step: "what if", doneShare: ++doneCount / pointCount, text });
      };
      const isOver = (): boolean => signal.aborted;
      sweeps.push(await sweep(scenario, axis, { methods: [method], isOver, onPoint }));
    }
    const summary = summaryOf(scenario, verdict);
    const { attainment } = scenario;
    const none = { methods: [], mixes: [] };
    const content = { title: "Simulation", summary, plan, verdict, attainment, sweeps, ...none };
    await replaceFile(reportPath, planReport(content));
  }
  const isInterrupted = sweeps.some(({ axis, curves }) =>
    curves.some(({ attainments }) => attainments.length < axis.values.length),
  );
  return { ...reportOf(plan, verdict), sweeps, report: reportPath, isInterrupted };
}

export async function profileToFile(
  options: ProfileOptions,
  { clock, cacheFolder }: { readonly clock: Clock; readonly cacheFolder: string },
  onProgress: (progress: PlanProgress) => void,
): Promise<ProfileReport> {
  const { defaultShapes, profileEngine } = await import("./profile/profile.ts");
  const { name, outPath, precision, signal, coreCounts, batchSizes, tokenCounts } = options;
  const defaults = defaultShapes(availableParallelism());
  const found = await profileEngine(
    {
      ...{ name, cacheFolder, precision, signal, clock, rank: defaults.rank },
      coreCounts: coreCounts ?? defaults.coreCounts,
      batchSizes: batchSizes ?? defaults.batchSizes,
      tokenCounts: tokenCounts ?? defaults.tokenCounts,
    },
    ({ coreCount, batchSize, tokenCount, doneCount, shapeCount }) =>
      onProgress({
        step: "measure",
        doneShare: doneCount / shapeCount,
        text: `${coreCount} cores, ${batchSize} × ${tokenCount} tokens`,
      }),
  );
  await makeOutFolder(dirname(outPath));
  await replaceFile(outPath, `${JSON.stringify(found, undefined, 2)}\n`);
  const configurations = found.unit.profiles.map(({ configuration, latencies, stageBytes }) => ({
    ...configuration,
    stageSeconds: latencies[0]?.stageSeconds ?? [],
    stageBytes,
  }));
  return { profile: outPath, configurations };
}

async function readScenario(options: PlanOptions): Promise<Scenario> {
  const { modelsPath, clusterPath, sloScale, sloSeconds, attainment, seed, isBatching } = options;
  const { models, simulation } = await readModels(modelsPath);
  return {
    units: models.map(({ unit }) => unit),
    fleet: parseFleet(await readPlanning(clusterPath), clusterPath),
    deadlineSeconds: deadlinesOf(models, { sloScale, sloSeconds }),
    ...(sloSeconds === undefined ? { sloScale } : {}),
    ...(await readDemand(options, models)),
    simulation: simulationOf(options, simulation),
    ...{ attainment, isBatching, seed },
  };
}

/** Profiles are named by paths from where the models' file is. */
async function readModels(path: string): Promise<Models> {
  const folder = dirname(path);
  return parseModels(await readPlanning(path), path, (name) => readPlanning(resolve(folder, name)));
}

async function readDemand(
  { tracePath, dealing, ...options }: DemandOptions,
  models: readonly Model[],
): Promise<Pick<Scenario, "demand" | "history">> {
  const { windowSeconds, durationSeconds, seed } = options;
  const shared = { models, windowSeconds, durationSeconds, seed };
  if (tracePath === undefined) return demandOf(shared);
  const trace = parseTrace(await readText(tracePath, limits.traceFileBytesMax), tracePath);
  return demandOf({ ...shared, trace: { ...trace, what: tracePath, dealing } });
}

function simulationOf(
  { simulation }: DemandOptions,
  measured: SimulationProfile,
): SimulationProfile {
  if (simulation === "ideal") return idealProfile;
  return simulation === "alpaserve" ? alpaserveProfile : measured;
}

function withLoadOf(model: Model, rated: readonly Model[]): Model {
  const found = rated.find(({ unit }) => unit.name === model.unit.name);
  return { ...model, load: found?.load ?? { rate: 0, cv: 1 } };
}

function reportOf(
  { groups }: Plan,
  verdict: Verdict,
): Omit<SimulationReport, "sweeps" | "report" | "isInterrupted"> {
  const scores = groups.flatMap((group, index) => {
    const score = verdict.groups[index];
    return score === undefined ? [] : [{ ...group, ...score }];
  });
  return { ...verdict, groups: scores };
}

/** The sentences of the report. */
function summaryOf(scenario: Scenario, verdict: Verdict): readonly string[] {
  const { units, fleet, history, demand, attainment } = scenario;
  const deviceCount = deviceCountOf(fleet);
  const devices = `${deviceCount} ${deviceCount === 1 ? "device" : "devices"}`;
  const price = pricePerHourOf(fleet);
  const cost = price === undefined ? "" : ` for ${price.toFixed(2)} per hour`;
  const share = `${(100 * verdict.attainment).toFixed(2)} %`;
  const objective = `${(100 * attainment).toFixed(2)} %`;
  const windows = `${demand.windowSeconds} s`;
  return [
    `${units.length} models on ${devices}${cost}: ${share} of ${verdict.requestCount} requests ` +
      `are answered in time; the objective is ${objective}.`,
    history === undefined
      ? "Requests are drawn by the models' rates; a plan is judged by others than it was made for."
      : `A plan is judged by the trace that it was made for, replayed faster for greater rates. ` +
        `By burstiness, requests are drawn anew, from what was fitted to each ${windows} of it.`,
  ];
}

async function readPlanning(path: string): Promise<string> {
  return readText(path, limits.planFileBytesMax);
}

async function readText(path: string, bytesMax: number): Promise<string> {
  const action = `Cannot read "${path}"`;
  try {
    const { size } = await stat(path);
    if (size > bytesMax)
      throw new StrataError(
        "TOO_LARGE",
        `${action}: expected at most ${bytesMax} bytes, got ${size}`,
      );
    return await readFile(path, "utf8");
  } catch (error) {
    throw wrapError(error, "INVALID_ARGUMENT", action);
  }
}

async function makeOutFolder(path: string): Promise<void> {
  try {
    await makeFolder(path);
  } catch (error) {
    throw wrapError(error, "INVALID_ARGUMENT", `Cannot write to "${path}"`);
  }
}
