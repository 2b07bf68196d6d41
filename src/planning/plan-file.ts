/**
 * A plan as a file that stands on its own: groups, and the models, cluster and overheads that they
 * were planned with, so that it can be simulated and checked without the files it came from.
 */
import { z } from "zod";
import { StrataError } from "../foundation/errors.ts";
import { limits } from "../foundation/limits.ts";
import type { Plan, Profile } from "../placement/placement.ts";
import { verify } from "../placement/verify.ts";
import { meanCvOf, meanRateOf } from "./demands.ts";
import { clusterOf, fleetSchema } from "./fleet.ts";
import { faultAt, parseJson } from "./json-file.ts";
import {
  configurationSchema,
  type Model,
  type ModelRows,
  modelsShape,
  resolveModels,
  simulationSchema,
} from "./model-file.ts";
import type { Scenario } from "./planning.ts";

const groupSchema = z.strictObject({
  devices: z.array(z.int().min(0).max(limits.planDeviceCountMax)),
  configuration: configurationSchema,
  units: z.array(z.string()),
});

const planSchema = z.strictObject({
  format: z.literal("strata-plan"),
  groups: z.array(groupSchema).max(limits.planDeviceCountMax),
  objective: z.strictObject({
    attainment: z.number().min(0).max(1),
    sloScale: z.number().positive().exactOptional(),
  }),
  ...modelsShape,
  cluster: fleetSchema,
  simulation: simulationSchema,
  isBatching: z.boolean(),
});

/** What a plan's file says; its demand is told by the models' loads. */
export interface StoredPlan {
  readonly plan: Plan;
  readonly models: readonly Model[];
  readonly scenario: Omit<Scenario, "demand" | "seed">;
}

export function formatPlan({ groups }: Plan, scenario: Scenario): string {
  const names = new Map<readonly Profile[], string>();
  const profiles: ModelRows["profiles"] = {};
  const models = scenario.units.map((unit, index): z.input<typeof planSchema>["models"][number] => {
    const windows = scenario.demand.loads[index] ?? [];
    const profile = names.get(unit.profiles) ?? `profile-${names.size + 1}`;
    names.set(unit.profiles, profile);
    profiles[profile] ??= { tokenCount: unit.tokenCount, profiles: unit.profiles };
    return {
      name: unit.name,
      profile,
      tokenCount: unit.tokenCount,
      rate: meanRateOf(windows),
      cv: meanCvOf(windows),
      deadlineSeconds: scenario.deadlineSeconds[index],
    };
  });
  const { attainment, sloScale, fleet, simulation, isBatching } = scenario;
  const file: z.input<typeof planSchema> = {
    format: "strata-plan",
    groups: groups.map(({ devices, configuration, units }) => {
      return { devices: [...devices], configuration, units: [...units] };
    }),
    objective: { attainment, ...(sloScale === undefined ? {} : { sloScale }) },
    cluster: { linkSeconds: fleet.linkSeconds, nodes: [...fleet.nodes] },
    simulation,
    isBatching,
    models,
    profiles,
  };
  return `${JSON.stringify(file, undefined, 2)}\n`;
}

/** INVALID_ARGUMENT names the field, or the first rule that the plan breaks. */
export async function parsePlan(text: string, what: string): Promise<StoredPlan> {
  const file = parseJson(planSchema, text, what);
  const { models } = await resolveModels(file, what, (path) =>
    Promise.reject(faultAt({ what, path: ["profiles"] }, `expected objects, got "${path}"`)),
  );
  const units = models.map(({ unit }) => unit);
  const plan = { groups: file.groups };
  const [broken] = verify(plan, { units, cluster: clusterOf(file.cluster) });
  if (broken !== undefined)
    throw new StrataError("INVALID_ARGUMENT", `Cannot read "${what}": ${broken.message}`);
  const { attainment, sloScale } = file.objective;
  const deadlineSeconds = models.map((model, index) => {
    if (model.deadlineSeconds !== undefined) return model.deadlineSeconds;
    throw faultAt({ what, path: ["models", index, "deadlineSeconds"] }, "expected a number");
  });
  return {
    plan,
    models,
    scenario: {
      units,
      fleet: file.cluster,
      deadlineSeconds,
      attainment,
      ...(sloScale === undefined ? {} : { sloScale }),
      simulation: file.simulation,
      isBatching: file.isBatching,
    },
  };
}
