/** Which ONNX Runtime is installed. */
import { loadOrt } from "./load-ort.ts";

/** Loads the library, which proves that its native part fits this machine; returns its version. */
export async function ortVersion(): Promise<string> {
  const { env } = await loadOrt();
  return String(env.versions.node);
}
