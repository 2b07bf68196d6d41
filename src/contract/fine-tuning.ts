/** Fine-tuning jobs as OpenAI's, for every task; hyperparameters say what is learned, too. */
import { createRoute, z } from "@hono/zod-openapi";
import { adaptedLayersNames, adapterKindNames } from "../foundation/kind-names.ts";
import { limits } from "../foundation/limits.ts";
import { answers, idSchema, jsonBody, listOf, metadataSchema, modelIdSchema } from "./schemas.ts";
import { pageQuery, seedSchema, unixSecondsSchema } from "./schemas.ts";

const autoSchema = z.literal("auto");

function autoOr<S extends z.ZodType>(schema: S, description: string) {
  return z.union([autoSchema, schema], { error: `expected "auto" or ${description}` });
}

function autoOrOneOf<const Names extends readonly string[]>(names: Names) {
  return autoOr(z.enum(names), names.map((name) => `"${name}"`).join(" or "));
}

const hyperparametersSchema = z.strictObject({
  n_epochs: autoOr(
    z.number().int().min(1).max(limits.epochCountMax),
    `an integer from 1 to ${limits.epochCountMax}`,
  ).optional(),
  batch_size: autoOr(
    z.number().int().min(1).max(limits.trainingBatchSizeMax),
    `an integer from 1 to ${limits.trainingBatchSizeMax}`,
  ).optional(),
  learning_rate_multiplier: autoOr(
    z.number().min(limits.learningRateMultiplierMin).max(limits.learningRateMultiplierMax),
    `a number from ${limits.learningRateMultiplierMin} to ${limits.learningRateMultiplierMax}`,
  ).optional(),
  adapter: autoOrOneOf(adapterKindNames).optional(),
  rank: autoOr(
    z.number().int().min(1).max(limits.adapterRankMax),
    `an integer from 1 to ${limits.adapterRankMax}`,
  ).optional(),
  layers: autoOrOneOf(adaptedLayersNames).optional(),
});

export type WireHyperparameters = z.infer<typeof hyperparametersSchema>;

const methodSchema = z.strictObject({
  type: z.literal("supervised"),
  supervised: z.strictObject({ hyperparameters: hyperparametersSchema.optional() }).optional(),
});

const createJobSchema = z.strictObject({
  model: modelIdSchema.openapi({
    description:
      "A base for a new vPLM, or a vPLM. Training begins anew: the file has to hold all labels " +
      "that are to be known.",
  }),
  training_file: idSchema,
  validation_file: idSchema.optional(),
  suffix: z
    .string()
    .min(1)
    .max(limits.nameCharactersMax)
    .regex(/^[A-Za-z0-9_.-]+$/, 'expected letters, digits, "_", "." or "-"')
    .optional(),
  seed: seedSchema.optional(),
  method: methodSchema.optional(),
  hyperparameters: hyperparametersSchema.optional(),
  metadata: metadataSchema.optional(),
  integrations: z.array(z.unknown()).max(0, "expected none, there are no integrations").optional(),
});

export type CreateJob = z.infer<typeof createJobSchema>;

const jobSchema = z
  .object({
    id: z.string(),
    object: z.literal("fine_tuning.job"),
    created_at: unixSecondsSchema,
    error: z
      .object({ code: z.string(), message: z.string(), param: z.string().nullable() })
      .nullable(),
    fine_tuned_model: z.string().nullable(),
    finished_at: unixSecondsSchema.nullable(),
    hyperparameters: hyperparametersSchema.required(),
    model: z.string(),
    organization_id: z.string(),
    result_files: z.array(z.string()),
    status: z.enum(["validating_files", "queued", "running", "succeeded", "failed", "cancelled"]),
    trained_tokens: z.number().int().nullable(),
    training_file: z.string(),
    validation_file: z.string().nullable(),
    seed: z.number().int(),
    estimated_finish: unixSecondsSchema.nullable(),
    integrations: z.array(z.unknown()),
    method: z.object({
      type: z.literal("supervised"),
      supervised: z.object({ hyperparameters: hyperparametersSchema.required() }),
    }),
    metadata: z.record(z.string(), z.string()),
  })
  .openapi("FineTuningJob");

export type FineTuningJob = z.infer<typeof jobSchema>;

const eventSchema = z
  .object({
    id: z.string(),
    object: z.literal("fine_tuning.job.event"),
    created_at: unixSecondsSchema,
    level: z.enum(["info", "warn", "error"]),
    message: z.string(),
    type: z.enum(["message", "metrics"]),
    data: z.record(z.string(), z.number()),
    strata: z.object({
      kind: z.enum(["message", "metrics", "instant_version"]).openapi({
        description: "`instant_version`: a version answers while training goes on",
      }),
      scores: z
        .array(z.object({ name: z.string(), value: z.number() }))
        .openapi({ description: "Of held-out texts, by what the task calls them" }),
    }),
  })
  .openapi("FineTuningJobEvent");

export type FineTuningJobEvent = z.infer<typeof eventSchema>;

const checkpointSchema = z.object({
  id: z.string(),
  object: z.literal("fine_tuning.job.checkpoint"),
});

const byId = z.object({ id: idSchema });
const page = pageQuery(20, limits.listPageCountMax);
const jobPage = page.extend({
  metadata: metadataSchema.optional().openapi({
    param: { style: "deepObject", explode: true },
    description: "Only jobs that carry these entries, as `metadata[key]=value`",
  }),
});

export const fineTuningRoutes = {
  createJob: createRoute({
    method: "post",
    path: "/v1/fine_tuning/jobs",
    summary: "Train a vPLM",
    request: { body: jsonBody(createJobSchema) },
    responses: answers(jobSchema, "The job"),
  }),
  listJobs: createRoute({
    method: "get",
    path: "/v1/fine_tuning/jobs",
    summary: "List jobs, newest first",
    request: { query: jobPage },
    responses: answers(listOf(jobSchema), "Jobs"),
  }),
  retrieveJob: createRoute({
    method: "get",
    path: "/v1/fine_tuning/jobs/{id}",
    summary: "Get a job",
    request: { params: byId },
    responses: answers(jobSchema, "The job"),
  }),
  deleteJob: createRoute({
    method: "delete",
    path: "/v1/fine_tuning/jobs/{id}",
    summary: "Delete a job that has finished, and its events",
    request: { params: byId },
    responses: answers(
      z.object({ id: z.string(), object: z.literal("fine_tuning.job"), deleted: z.boolean() }),
      "Deleted",
    ),
  }),
  cancelJob: createRoute({
    method: "post",
    path: "/v1/fine_tuning/jobs/{id}/cancel",
    summary: "Cancel a job that has not finished",
    request: { params: byId },
    responses: answers(jobSchema, "The job"),
  }),
  listJobEvents: createRoute({
    method: "get",
    path: "/v1/fine_tuning/jobs/{id}/events",
    summary: "List what happened to a job, newest first",
    request: { params: byId, query: page },
    responses: answers(listOf(eventSchema), "Events"),
  }),
  listJobCheckpoints: createRoute({
    method: "get",
    path: "/v1/fine_tuning/jobs/{id}/checkpoints",
    summary: "List checkpoints; there are none, versions take their place",
    request: { params: byId, query: page },
    responses: answers(listOf(checkpointSchema), "No checkpoints"),
  }),
} as const;
