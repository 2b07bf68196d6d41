/** Files: uploaded once, named by jobs. */
import { createRoute, z } from "@hono/zod-openapi";
import { limits } from "../foundation/limits.ts";
import { answers, errorAnswer, idSchema, listOf, pageQuery } from "./schemas.ts";
import { unixSecondsSchema } from "./schemas.ts";
import { taskNames } from "../foundation/kind-names.ts";

export const filePurposes = [
  "fine-tune",
  "batch",
  "evals",
  "user_data",
  "assistants",
  "vision",
] as const;

const purposeSchema = z.enum(filePurposes);

const remarkSchema = z.object({
  kind: z.enum(["rows", "shortage"]).openapi({
    description: "`shortage`: no model can be made of the file alone",
  }),
  message: z.string(),
});

const fileSchema = z
  .object({
    id: z.string(),
    object: z.literal("file"),
    bytes: z.number().int(),
    created_at: unixSecondsSchema,
    filename: z.string(),
    purpose: z.string(),
    /** A file is checked before it is kept, so that OpenAI's other statuses do not occur. */
    status: z.literal("processed"),
    status_details: z.string().nullable().openapi({
      description: "Rows of a training file that cannot be used, and what may not be meant",
    }),
    strata: z.object({
      task: z.enum(taskNames).nullable().openapi({
        description: "What the rows of a training file are examples of; null where not read yet",
      }),
      remarks: z.array(remarkSchema).openapi({ description: "The lines of status_details" }),
    }),
  })
  .openapi("File");

export type FileObject = z.infer<typeof fileSchema>;

const uploadSchema = z.object({
  purpose: purposeSchema,
  file: z.string().openapi({
    format: "binary",
    description:
      "Labelled texts, or texts with entities: JSON lines, a JSON array, CSV with a header, or " +
      "CoNLL columns, also as tools for labelling write them; gzip is unpacked",
  }),
});

const filePage = pageQuery(limits.filePageCountMax, limits.filePageCountMax).extend({
  purpose: purposeSchema.optional(),
  order: z.enum(["asc", "desc"]).default("desc"),
});

const byId = z.object({ id: idSchema });

export const fileRoutes = {
  createFile: createRoute({
    method: "post",
    path: "/v1/files",
    summary: "Upload a file; training data is checked at once",
    request: {
      body: { required: true, content: { "multipart/form-data": { schema: uploadSchema } } },
    },
    responses: answers(fileSchema, "The file"),
  }),
  listFiles: createRoute({
    method: "get",
    path: "/v1/files",
    summary: "List files, newest first",
    request: { query: filePage },
    responses: answers(listOf(fileSchema), "Files"),
  }),
  retrieveFile: createRoute({
    method: "get",
    path: "/v1/files/{id}",
    summary: "Get a file's facts",
    request: { params: byId },
    responses: answers(fileSchema, "The file"),
  }),
  downloadFile: createRoute({
    method: "get",
    path: "/v1/files/{id}/content",
    summary: "Get a file's bytes",
    request: { params: byId },
    responses: {
      200: {
        description: "The bytes",
        content: {
          "application/octet-stream": { schema: z.string().openapi({ format: "binary" }) },
        },
      },
      default: errorAnswer,
    },
  }),
  deleteFile: createRoute({
    method: "delete",
    path: "/v1/files/{id}",
    summary: "Delete a file",
    request: { params: byId },
    responses: answers(
      z.object({ id: z.string(), object: z.literal("file"), deleted: z.boolean() }),
      "Deleted",
    ),
  }),
} as const;
