/**
 * Models as a file: what each takes, by profiles that `strata profile` measured, and how often it
 * is asked for. Profiles stand in files of their own, or inline.
 */
import { z } from "zod";
import { limits } from "../foundation/limits.ts";
import {
  idealProfile,
  type Load,
  type SimulationProfile,
  soloSeconds,
  type Unit,
} from "../placement/placement.ts";
import { checkValue, faultAt, nameSchema, parseJson, type Place } from "./json-file.ts";

/** What a file says of models. */
export interface Models {
  readonly models: readonly Model[];
  /** The slowest of those that the profiles were measured with. */
  readonly simulation: SimulationProfile;
}

export interface Model {
  readonly unit: Unit;
  /** Absent where only a trace tells how often it is asked for. */
  readonly load?: Load;
  /** Its own; the others have the objective's. */
  readonly deadlineSeconds?: number;
}

const rate = z.number().min(0).max(limits.planRequestCountMax);
export const cvSchema = z.number().min(0).max(limits.planCvMax);
const positive = z.number().positive();
const count = z.int().min(1);

export const configurationSchema = z.strictObject({
  intraOp: count.max(limits.planDeviceCountMax),
  stageCount: count.max(limits.layerCountMax),
});

const profileSchema = z
  .strictObject({
    configuration: configurationSchema,
    latencies: z
      .array(
        z.strictObject({ batchSize: count, tokenCount: count, stageSeconds: z.array(positive) }),
      )
      .refine(
        (rows) => rows.some(({ batchSize }) => batchSize === 1),
        "expected a batch size of 1",
      ),
    stageBytes: z.array(z.number().min(0)),
    shared: z
      .array(z.strictObject({ name: nameSchema, deviceBytes: z.number().min(0) }))
      .exactOptional(),
  })
  .refine(
    ({ configuration: { stageCount }, latencies, stageBytes }) =>
      [stageBytes, ...latencies.map((row) => row.stageSeconds)].every(
        ({ length }) => length === stageCount,
      ),
    "expected as many stageBytes and stageSeconds as stages",
  );

const measuredSchema = z.strictObject({
  tokenCount: count,
  profiles: z
    .array(profileSchema)
    .min(1)
    .refine(
      (profiles) =>
        new Set(profiles.map((row) => JSON.stringify(row.configuration))).size === profiles.length,
      "expected distinct configurations",
    ),
});

/** What was measured of one model. */
export type Measured = z.infer<typeof measuredSchema>;

export const simulationSchema: z.ZodType<SimulationProfile> = z.strictObject({
  name: nameSchema,
  stagePenalty: z.number().min(0),
  receiveSeconds: z.number().min(0),
  dispatchSeconds: z.number().min(0),
  startSeconds: z.number().min(0),
  slackSeconds: z.number().min(0),
  isFloat32: z.boolean(),
});

/** What `strata profile` writes, of which planning reads a part. */
const profileFileSchema = z.object({
  unit: z.object(measuredSchema.shape),
  simulation: simulationSchema,
});

const modelSchema = z.strictObject({
  name: nameSchema,
  /** Names an entry of `profiles`. */
  profile: z.string(),
  /** So many models alike: `name-1`, `name-2`, … */
  count: count.max(limits.planModelCountMax).optional(),
  /** Instead of the profile's. */
  tokenCount: count.optional(),
  rate: rate.optional(),
  cv: cvSchema.default(1),
  deadlineSeconds: positive.optional(),
});

export const modelsShape = {
  /** Inline, or the path of a file from `strata profile`. */
  profiles: z.record(nameSchema, z.unknown()),
  models: z.array(modelSchema).min(1).max(limits.planModelCountMax),
};

const modelsSchema = z.strictObject(modelsShape);

export type ModelRows = z.infer<typeof modelsSchema>;

/** Reads what a file names by its path, which is relative to that file. */
export type ReadText = (path: string) => Promise<string>;

/** `what` names the file in errors. */
export async function parseModels(text: string, what: string, read: ReadText): Promise<Models> {
  return resolveModels(parseJson(modelsSchema, text, what), what, read);
}

export async function resolveModels(
  { profiles, models }: ModelRows,
  what: string,
  read: ReadText,
): Promise<Models> {
  const measured = new Map<string, Measured>();
  let simulation = idealProfile;
  for (const [name, profile] of Object.entries(profiles)) {
    if (typeof profile !== "string") {
      const place = { what, path: ["profiles", name] };
      measured.set(name, checkValue(measuredSchema, profile, place));
      continue;
    }
    const file = parseJson(profileFileSchema, await read(profile), profile);
    measured.set(name, file.unit);
    if (overheadOf(file.simulation) > overheadOf(simulation)) simulation = file.simulation;
  }
  const modelCount = models.reduce((sum, { count: copies = 1 }) => sum + copies, 0);
  if (modelCount > limits.planModelCountMax)
    throw faultAt(
      { what, path: ["models"] },
      `expected at most ${limits.planModelCountMax} in all`,
    );
  const names = new Set<string>();
  const expanded = models.flatMap((row, index) => {
    const found = measured.get(row.profile);
    const place = (field: string): Place => ({ what, path: ["models", index, field] });
    if (found === undefined) throw faultAt(place("profile"), `there is no "${row.profile}"`);
    return namesOf(row).map((name) => {
      if (names.has(name)) throw faultAt(place("name"), `"${name}" is taken`);
      names.add(name);
      return modelOf(name, row, found);
    });
  });
  return { models: expanded, simulation };
}

function overheadOf({ receiveSeconds, dispatchSeconds, startSeconds }: SimulationProfile): number {
  return receiveSeconds + dispatchSeconds + startSeconds;
}

function namesOf({ name, count: copies }: ModelRows["models"][number]): readonly string[] {
  if (copies === undefined) return [name];
  return Array.from({ length: copies }, (_, index) => `${name}-${index + 1}`);
}

function modelOf(name: string, row: ModelRows["models"][number], measured: Measured): Model {
  const { tokenCount = measured.tokenCount, cv, deadlineSeconds } = row;
  return {
    unit: { name, tokenCount, profiles: measured.profiles },
    ...(row.rate === undefined ? {} : { load: { rate: row.rate, cv } }),
    ...(deadlineSeconds === undefined ? {} : { deadlineSeconds }),
  };
}

/** The time from arrival to answer, unless a model has a deadline of its own. */
export function deadlinesOf(
  models: readonly Model[],
  { sloScale, sloSeconds }: { readonly sloScale: number; readonly sloSeconds: number | undefined },
): readonly number[] {
  return models.map(
    ({ unit, deadlineSeconds }) => deadlineSeconds ?? sloSeconds ?? sloScale * soloSeconds(unit),
  );
}
