/** ONNX Runtime sits the exam that the reference interpreter sets. */
import { examineRuntime } from "../conformance.ts";
import { OrtRuntime } from "./ort-runtime.ts";

examineRuntime("ort", async () => new OrtRuntime({ threadCount: 1, spinUs: 0 }), 1e-5);
