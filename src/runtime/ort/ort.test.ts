/** ONNX Runtime sits the exam that the reference interpreter sets. */
import assert from "node:assert/strict";
import { it } from "node:test";
import { examineRuntime } from "../conformance.ts";
import { OrtRuntime } from "./ort-runtime.ts";

examineRuntime("ort", async () => new OrtRuntime({ threadCount: 1, spinUs: 0 }), 1e-5);

it("has silenced the library before any thread loads it", async () => {
  delete process.env["ORT_DISABLE_TELEMETRY"];
  const runtime = new OrtRuntime({ threadCount: 1, spinUs: 0 });
  assert.equal(process.env["ORT_DISABLE_TELEMETRY"], "1");
  await runtime.close();
});
