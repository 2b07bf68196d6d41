/** A thread with clients that each send their next request when they have the last one's answer. */
import { parentPort, workerData } from "node:worker_threads";
import { Pool } from "undici";

export interface HttpLoad {
  readonly url: string;
  readonly apiKey: string;
  readonly models: readonly string[];
  readonly texts: readonly string[];
  readonly clientCount: number;
  readonly roundMs: number;
}

export interface HttpLoadResult {
  readonly latenciesMs: readonly number[];
  readonly elapsedMs: number;
}

const { url, apiKey, models, texts, clientCount, roundMs } = workerData as HttpLoad; // by http.ts
const pool = new Pool(url, { connections: clientCount, pipelining: 1 });
const headers = { authorization: `Bearer ${apiKey}`, "content-type": "application/json" };
const latenciesMs: number[] = [];
const started = performance.now();
await Promise.all(Array.from({ length: clientCount }, (_, index) => runClient(index)));
const elapsedMs = performance.now() - started;
await pool.close();
parentPort?.postMessage({ latenciesMs, elapsedMs } satisfies HttpLoadResult);

async function runClient(first: number): Promise<void> {
  for (let n = first; performance.now() - started < roundMs; n += clientCount) {
    const sent = performance.now();
    const body = JSON.stringify({
      model: models[n % models.length],
      input: texts[n % texts.length],
    });
    const answer = await pool.request({ path: "/v1/classify", method: "POST", headers, body });
    const answered = await answer.body.text();
    if (answer.statusCode !== 200) throw new Error(`${answer.statusCode}: ${answered}`);
    latenciesMs.push(performance.now() - sent);
  }
}
