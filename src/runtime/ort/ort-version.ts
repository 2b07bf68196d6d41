/** Which ONNX Runtime is installed. */

/** Loads the library, which proves that its native part fits this machine; returns its version. */
export async function ortVersion(): Promise<string> {
  const { env } = await import("onnxruntime-node");
  return String(env.versions.node);
}
