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
  return app.getOpenAPI31Document({
    openapi: "3.1.0",
    info: {
      title: "Strata",
      version,
      description: "Hosts ten thousand custom language models on one machine.",
      license: { name: "Apache-2.0" },
    },
    security: [{ apiKey: [] }],
  });
}
