/** Models: the bases that everyone shares, and the vPLMs made from them, with their versions. */
import { createRoute, z } from "@hono/zod-openapi";
import { limits } from "../foundation/limits.ts";
import { answers, idSchema, jsonBody, listOf, modelIdSchema, pageQuery } from "./schemas.ts";
import { seedSchema, unixSecondsSchema } from "./schemas.ts";
import { adapterKindNames, taskNames } from "../foundation/kind-names.ts";

const baseFactsSchema = z.object({
  kind: z.literal("base"),
  hidden_size: z.number().int(),
  layer_count: z.number().int(),
  tokens_max: z.number().int().openapi({ description: "Special tokens included" }),
  pooling: z.enum(["cls", "mean"]),
  source: z.string(),
  digest: z.string(),
});

const taskSchema = z.enum(taskNames);

const vplmFactsSchema = z.object({
  kind: z.literal("vplm"),
  task: taskSchema,
  labels: z.array(z.string()),
  version: z
    .number()
    .int()
    .nullable()
    .openapi({ description: "The version that answers; null until there is one" }),
  fault: z
    .string()
    .nullable()
    .openapi({
      description:
        "Why that version cannot answer, as for damaged weights; where models are listed, as far " +
        "as is known without reading them",
    }),
});

export type VplmFacts = z.infer<typeof vplmFactsSchema>;

const anyModelSchema = z.object({
  id: z.string(),
  object: z.literal("model"),
  created: unixSecondsSchema,
  owned_by: z.string(),
  parent: z.string().nullable().openapi({ description: "The base; null for a base itself" }),
  root: z.string().openapi({ description: "The base at the bottom" }),
});

export const modelSchema = anyModelSchema
  .extend({ strata: z.discriminatedUnion("kind", [baseFactsSchema, vplmFactsSchema]) })
  .openapi("Model");

export type Model = z.infer<typeof modelSchema>;

const listedFactsSchema = vplmFactsSchema.extend({
  labels: z.array(z.string()).openapi({
    description: `The first ones, up to ${limits.listedLabelCharactersMax} characters`,
  }),
  label_count: z.number().int().openapi({ description: "Of all labels" }),
});

/** A model as lists show it: its own route has all labels. */
const listedModelSchema = anyModelSchema
  .extend({ strata: z.discriminatedUnion("kind", [baseFactsSchema, listedFactsSchema]) })
  .openapi("ListedModel");

export type ListedModel = z.infer<typeof listedModelSchema>;

const adapterSchema = z.object({
  kind: z.enum(adapterKindNames),
  rank: z.number().int(),
  layers: z.array(z.number().int()).openapi({ description: "Layers of the base, from 0" }),
});

const figureSchema = z.object({
  name: z.string().openapi({ description: "The task's score, such as accuracy or F1" }),
  value: z.number().openapi({ description: "In [0, 1]" }),
  low: z.number().nullable().openapi({ description: "The interval at 95 %, where it is known" }),
  high: z.number().nullable(),
  count: z.number().int().nullable().openapi({ description: "Held-out texts, where known" }),
});

const versionSchema = z
  .object({
    object: z.literal("model.version"),
    model: z.string(),
    version: z.number().int(),
    kind: z.enum(["instant", "trained", "derived"]),
    is_served: z.boolean(),
    digest: z.string().openapi({ description: "Digest of adapter and head" }),
    fault: z.string().nullable().openapi({
      description: "Why the weights cannot be read; null where they can, or were not read for this",
    }),
    bytes: z.number().int(),
    task: taskSchema,
    adapter: adapterSchema.nullable().openapi({ description: "null when there is a head only" }),
    form: z.enum(["dense", "hierarchical"]).openapi({ description: "Form of the base" }),
    domain: z.string().nullable().openapi({ description: "Whose lookup table it reads" }),
    pooling: z.enum(["cls", "mean"]),
    precision: z.enum(["fp32", "int8"]),
    figure: figureSchema
      .nullable()
      .openapi({ description: "What it reached on held-out texts; null where there were none" }),
    metrics: z.record(z.string(), z.number()).openapi({
      description:
        "Figures by name. A baseline is the served version's score on the texts compared, " +
        "comparedCount; where that is missing, on all that were held out, as it was told before",
    }),
    outcome: z.enum(["served", "not_served"]).nullable().openapi({
      description: "Whether it was served when it was published; null where that is not known",
    }),
    verdict: z
      .string()
      .nullable()
      .openapi({ description: "Why it was served when it was published, or why not" }),
    job: z.string().nullable(),
    created_at: unixSecondsSchema,
  })
  .openapi("Version");

export type ModelVersion = z.infer<typeof versionSchema>;

const createModelSchema = z
  .strictObject({
    id: z.string().openapi({ description: "Letters, digits, _ . -" }),
    base: modelIdSchema,
    task: taskSchema.optional().openapi({
      description: "That of the training file; without one, text-classification when absent",
    }),
    labels: z
      .array(z.string())
      .optional()
      .openapi({
        description:
          "Without a training file: the labels, in the head's order, as many as the task needs, " +
          `at most ${limits.labelCountMax} of ${limits.labelCharactersMax} characters`,
      }),
    training_file: idSchema.optional().openapi({
      description: "Labels come from this file, and an instant version is fitted on it",
    }),
  })
  .refine((body) => (body.labels === undefined) !== (body.training_file === undefined), {
    message: "expected either labels or training_file",
    path: ["labels"],
  });

const deriveModelsSchema = z
  .strictObject({
    count: z.number().int().min(1).max(limits.derivedModelCountMax).optional(),
    ids: z.array(modelIdSchema).min(1).max(limits.derivedModelCountMax).optional(),
    noise: z.number().positive().max(limits.derivedNoiseMax).openapi({
      description: "Standard deviation, relative to the root mean square of each tensor",
    }),
    seed: seedSchema,
  })
  .refine((body) => (body.count === undefined) !== (body.ids === undefined), {
    message: "expected either count or ids",
    path: ["count"],
  });

const byId = z.object({ id: modelIdSchema });
const byVersion = byId.extend({
  version: z.coerce.number<number>().int().min(1).openapi({ type: "integer", minimum: 1 }),
});
const versionPage = pageQuery(limits.listPageCountMax, limits.listPageCountMax).extend({
  after: z.coerce
    .number<number>()
    .int()
    .min(0)
    .optional()
    .openapi({ type: "integer", minimum: 0, description: "The last version of the page before" }),
});
const modelPage = pageQuery(limits.modelPageCountMax, limits.modelPageCountMax);

export const modelRoutes = {
  listModels: createRoute({
    method: "get",
    path: "/v1/models",
    summary: "List models, bases first",
    request: { query: modelPage },
    responses: answers(listOf(listedModelSchema), "Models"),
  }),
  retrieveModel: createRoute({
    method: "get",
    path: "/v1/models/{id}",
    summary: "Get a model",
    request: { params: byId },
    responses: answers(modelSchema, "The model"),
  }),
  deleteModel: createRoute({
    method: "delete",
    path: "/v1/models/{id}",
    summary: "Delete a vPLM and its versions",
    request: { params: byId },
    responses: answers(
      z.object({ id: z.string(), object: z.literal("model"), deleted: z.boolean() }),
      "Deleted",
    ),
  }),
  createModel: createRoute({
    method: "post",
    path: "/v1/models",
    summary: "Create a vPLM, at once usable when a training file is named",
    request: { body: jsonBody(createModelSchema) },
    responses: answers(modelSchema, "The model"),
  }),
  deriveModels: createRoute({
    method: "post",
    path: "/v1/models/{id}/derive",
    summary: "Create vPLMs from another one with seeded noise on its weights",
    request: { params: byId, body: jsonBody(deriveModelsSchema) },
    responses: answers(listOf(listedModelSchema), "The new models"),
  }),
  listVersions: createRoute({
    method: "get",
    path: "/v1/models/{id}/versions",
    summary: "List the versions of a vPLM, by number",
    request: { params: byId, query: versionPage },
    responses: answers(listOf(versionSchema), "Versions"),
  }),
  deleteVersion: createRoute({
    method: "delete",
    path: "/v1/models/{id}/versions/{version}",
    summary: "Delete a version that is not served",
    request: { params: byVersion },
    responses: answers(
      z.object({
        object: z.literal("model.version"),
        model: z.string(),
        version: z.number().int(),
        deleted: z.boolean(),
      }),
      "Deleted",
    ),
  }),
  serveVersion: createRoute({
    method: "post",
    path: "/v1/models/{id}/serve",
    summary: "Let another version answer",
    request: {
      params: byId,
      body: jsonBody(z.strictObject({ version: z.number().int().min(1) })),
    },
    responses: answers(modelSchema, "The model"),
  }),
} as const;
