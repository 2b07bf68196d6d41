/** Requests that no caller should make: each is the caller's error, and changes nothing. */
import type { Random } from "../../src/foundation/random.ts";
import type { Operation, Wire } from "./operation.ts";

const wires: readonly Wire[] = [
  { method: "POST", path: "/v1/classify", json: { model: "m0" } },
  { method: "POST", path: "/v1/classify", json: { model: "m0", input: [] } },
  { method: "POST", path: "/v1/classify", json: { model: "m0", input: 1 } },
  { method: "POST", path: "/v1/classify", json: { model: "../m0", input: "w1" } },
  { method: "POST", path: "/v1/classify", json: { model: "m0", input: "w1", top_k: 0 } },
  { method: "POST", path: "/v1/classify", json: ["m0"] },
  { method: "POST", path: "/v1/models", json: { id: "a b", base: "base", labels: ["a", "b"] } },
  { method: "POST", path: "/v1/models", json: { id: "m9", base: "none", labels: ["a", "b"] } },
  { method: "POST", path: "/v1/models", json: { id: "m9", base: "base", labels: ["a", "a"] } },
  { method: "POST", path: "/v1/models", json: { id: "base", base: "base", labels: ["a", "b"] } },
  { method: "DELETE", path: "/v1/models/base" },
  { method: "DELETE", path: "/v1/models/none" },
  { method: "DELETE", path: "/v1/models/m0/versions/zero" },
  { method: "POST", path: "/v1/models/none/serve", json: { version: 1 } },
  { method: "POST", path: "/v1/models/none/derive", json: { ids: ["m9"], noise: -1, seed: 0 } },
  { method: "POST", path: "/v1/fine_tuning/jobs", json: { model: "base" } },
  { method: "POST", path: "/v1/fine_tuning/jobs", json: { model: "base", training_file: "none" } },
  { method: "POST", path: "/v1/fine_tuning/jobs/none/cancel" },
  { method: "POST", path: "/v1/files", json: {} },
  { path: "/v1/files/none/content" },
  { path: "/v1/nothing" },
  { path: "/v1/models", key: "wrong" },
];

export function badRequest(random: Random): Operation {
  const wire = wires[random.integer(wires.length)] ?? { path: "/" };
  return {
    what: `bad ${wire.method ?? "GET"} ${wire.path}`,
    wire,
    may: () => false,
    fault: ({ status }) =>
      status >= 400 && status < 500 ? undefined : `expected the caller's error, got ${status}`,
  };
}
