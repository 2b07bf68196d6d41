/** Whether the server lives and is ready, and what it measures. */
import { createRoute, z } from "@hono/zod-openapi";
import { answers, errorAnswer } from "./schemas.ts";

export const healthRoutes = {
  health: createRoute({
    method: "get",
    path: "/healthz",
    summary: "The process answers",
    security: [],
    responses: answers(z.object({ status: z.literal("ok"), version: z.string() }), "Alive"),
  }),
  readiness: createRoute({
    method: "get",
    path: "/readyz",
    summary: "The catalog answers and the server is not stopping",
    security: [],
    responses: answers(z.object({ status: z.literal("ready") }), "Ready"),
  }),
  metrics: createRoute({
    method: "get",
    path: "/metrics",
    summary: "Metrics in Prometheus' text format",
    responses: {
      200: { description: "Metrics", content: { "text/plain": { schema: z.string() } } },
      default: errorAnswer,
    },
  }),
} as const;
