/** What models answer: embeddings as OpenAI's, and classification in the same manner. */
import { createRoute, z } from "@hono/zod-openapi";
import { limits } from "../foundation/limits.ts";
import { embedInputSchema, textInputSchema } from "./inputs.ts";
import { answers, jsonBody, modelIdSchema } from "./schemas.ts";

const usageSchema = z.object({
  prompt_tokens: z.number().int(),
  total_tokens: z.number().int(),
  truncated_inputs: z.number().int().openapi({ description: "Inputs that were cut" }),
});

const truncateSchema = z
  .boolean()
  .default(true)
  .openapi({ description: "Whether texts beyond the model's tokens are cut or refused" });

const truncatedSchema = z.boolean().openapi({
  description: "Whether the input was cut to the model's tokens",
});

const userSchema = z.string().optional().openapi({
  description: "Whoever the caller asks for; not kept",
});

const embeddingsRequestSchema = z.strictObject({
  model: modelIdSchema,
  input: embedInputSchema,
  encoding_format: z.enum(["float", "base64"]).default("float"),
  dimensions: z
    .number()
    .int()
    .min(1)
    .optional()
    .openapi({ description: "Cut to this length and normalised again" }),
  truncate: truncateSchema,
  user: userSchema,
});

const embeddingsSchema = z
  .object({
    object: z.literal("list"),
    model: z.string(),
    data: z.array(
      z.object({
        object: z.literal("embedding"),
        index: z.number().int(),
        embedding: z.union([z.array(z.number()), z.string()]).openapi({
          description: "Numbers, or the base64 of little-endian 32-bit floats",
        }),
        truncated: truncatedSchema,
      }),
    ),
    usage: usageSchema,
  })
  .openapi("Embeddings");

export type Embeddings = z.infer<typeof embeddingsSchema>;

const classifyRequestSchema = z.strictObject({
  model: modelIdSchema.openapi({ description: 'A vPLM, or "<id>@<version>"' }),
  input: textInputSchema,
  top_k: z
    .number()
    .int()
    .min(1)
    .max(limits.labelCountMax)
    .default(10)
    .openapi({ description: "How many labels to score, best first" }),
  truncate: truncateSchema,
  user: userSchema,
});

const scoreSchema = z.object({ label: z.string(), score: z.number() });

const classificationsSchema = z
  .object({
    object: z.literal("list"),
    model: z.string(),
    version: z.number().int(),
    data: z.array(
      z.object({
        object: z.literal("classification"),
        index: z.number().int(),
        label: z.string(),
        score: z.number(),
        scores: z.array(scoreSchema).openapi({ description: "Best first" }),
        truncated: truncatedSchema,
      }),
    ),
    usage: usageSchema,
  })
  .openapi("Classifications");

export type Classifications = z.infer<typeof classificationsSchema>;

const classifyTokensRequestSchema = z.strictObject({
  model: modelIdSchema.openapi({
    description: 'A vPLM for token classification, or "<id>@<version>"',
  }),
  input: textInputSchema,
  truncate: truncateSchema,
  user: userSchema,
});

const entitySchema = z.object({
  entity_group: z.string().openapi({ description: "The label" }),
  score: z.number().openapi({
    description: "The mean over the entity's words of the probability that a word has the label",
  }),
  start: z.number().int().openapi({ description: "In Unicode code points of the input, from 0" }),
  end: z.number().int().openapi({ description: "Behind the last code point" }),
  word: z.string().openapi({ description: "The input from start to end" }),
});

const tokenClassificationsSchema = z
  .object({
    object: z.literal("list"),
    model: z.string(),
    version: z.number().int(),
    data: z.array(
      z.object({
        object: z.literal("token_classification"),
        index: z.number().int(),
        entities: z.array(entitySchema).openapi({ description: "In the order of their places" }),
        truncated: z.boolean().openapi({
          description: "Whether the input was cut to the model's tokens: no entity is found behind",
        }),
      }),
    ),
    usage: usageSchema,
  })
  .openapi("TokenClassifications");

export type TokenClassifications = z.infer<typeof tokenClassificationsSchema>;

export const inferenceRoutes = {
  createEmbeddings: createRoute({
    method: "post",
    path: "/v1/embeddings",
    summary: "Embed texts with a base or a vPLM",
    request: { body: jsonBody(embeddingsRequestSchema) },
    responses: answers(embeddingsSchema, "One embedding per input"),
  }),
  classify: createRoute({
    method: "post",
    path: "/v1/classify",
    summary: "Classify texts with a vPLM",
    request: { body: jsonBody(classifyRequestSchema) },
    responses: answers(classificationsSchema, "One classification per input"),
  }),
  classifyTokens: createRoute({
    method: "post",
    path: "/v1/classify-tokens",
    summary: "Find the entities in texts with a vPLM",
    request: { body: jsonBody(classifyTokensRequestSchema) },
    responses: answers(tokenClassificationsSchema, "One list of entities per input"),
  }),
} as const;
