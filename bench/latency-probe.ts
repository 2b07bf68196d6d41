/** A thread that asks a server again and again whether it lives, and how long that took at most. */
import { parentPort, workerData } from "node:worker_threads";
import { Client } from "undici";

const pauseMs = 5;

const client = new Client(String(workerData));
let worstMs = 0;
// What is asked for is the longest time since the last question.
parentPort?.on("message", () => {
  parentPort?.postMessage(worstMs);
  worstMs = 0;
});
for (;;) {
  const startMs = performance.now();
  const { body } = await client.request({ method: "GET", path: "/healthz" });
  await body.dump();
  worstMs = Math.max(worstMs, performance.now() - startMs);
  await new Promise((resolve) => setTimeout(resolve, pauseMs));
}
