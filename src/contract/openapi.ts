/** The OpenAPI 3.1 document of the contract. */
import { OpenAPIHono } from "@hono/zod-openapi";
import { routes } from "./contract.ts";

/** A plain JSON value. */
export function openApiDocument(version: string): object {
  const app = new OpenAPIHono();
  const registry = app.openAPIRegistry;
  registry.registerComponent("securitySchemes", "apiKey", { type: "http", scheme: "bearer" });
  for (const [operationId, route] of Object.entries(routes))
    registry.registerPath({ ...route, operationId });
  const document = app.getOpenAPI31Document({
    openapi: "3.1.0",
    info: {
      title: "Strata",
      version,
      description: "Hosts ten thousand custom language models on one machine.",
      license: { name: "Apache-2.0" },
    },
    security: [{ apiKey: [] }],
  });
  for (const path of Object.values(document.paths ?? {})) {
    const operations = path as Record<string, Operation>; // The contract has nothing else there.
    for (const operation of Object.values(operations)) {
      const content = operation.requestBody?.content["application/json"];
      if (content !== undefined) content.schema = withNulls(content.schema);
    }
  }
  return document;
}

interface Operation {
  readonly requestBody?: { readonly content: Record<string, { schema: Schema }> };
}

interface Schema {
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly required?: readonly string[];
  readonly description?: string;
  readonly default?: unknown;
}

/** Null stands for absent in bodies of requests, wherever a field may be absent. */
function withNulls(schema: Schema): Schema {
  if (schema.properties === undefined) return schema;
  const properties = Object.entries(schema.properties).map(([name, field]) => {
    const inner = withNulls(field);
    return [name, schema.required?.includes(name) === true ? inner : orNull(inner)] as const;
  });
  return { ...schema, properties: Object.fromEntries(properties) };
}

function orNull({ description, default: value, ...schema }: Schema): object {
  return {
    anyOf: [schema, { type: "null" }],
    ...(description !== undefined && { description }),
    ...(value !== undefined && { default: value }),
  };
}
