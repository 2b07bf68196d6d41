/**
 * A thread that asks a server: closed loop, where each client sends when it has its last answer, or
 * open loop, where requests come at their own times whatever becomes of the others.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { parentPort, workerData } from "node:worker_threads";
import { SeededRandom } from "../src/foundation/random.ts";
import { numberOf, RawClient } from "./raw-client.ts";

export interface OverloadTarget {
  readonly port: number;
  readonly apiKey: string;
  readonly models: readonly string[];
  readonly texts: readonly string[];
}

export type OverloadLoad =
  | { readonly kind: "closed"; readonly clientCount: number; readonly durationMs: number }
  | {
      readonly kind: "open";
      readonly perSecond: number;
      readonly durationMs: number;
      readonly seed: number;
      /** Whether who is refused comes back once, when the answer says. */
      readonly isPatient: boolean;
    };

export interface AskedOnce {
  /** The time from the start of the load to the answer. */
  readonly answeredMs: number;
  readonly latencyMs: number;
  readonly status: number;
  /** NaN when the answer tells none. */
  readonly queueMs: number;
  readonly retryAfterMs: number;
  readonly isReturn: boolean;
}

const target = workerData as OverloadTarget; // by overload.ts
const client = new RawClient(target.port);
const requests = requestsOf(target);
parentPort?.on("message", (load: OverloadLoad | undefined) => {
  if (load === undefined) {
    client.close();
    parentPort?.close();
    return;
  }
  const asking = load.kind === "closed" ? askClosed(load) : askOpen(load);
  void asking.then((asked) => parentPort?.postMessage(asked));
});

async function askClosed(load: OverloadLoad & { readonly kind: "closed" }): Promise<AskedOnce[]> {
  const asked: AskedOnce[] = [];
  const startMs = performance.now();
  const run = async (first: number): Promise<void> => {
    for (let n = first; performance.now() - startMs < load.durationMs; n += load.clientCount)
      asked.push(await ask(n, { startMs, isReturn: false }));
  };
  await Promise.all(Array.from({ length: load.clientCount }, (_, index) => run(index)));
  return asked;
}

/** Poisson arrivals; every millisecond those that are due are sent. */
async function askOpen(load: OverloadLoad & { readonly kind: "open" }): Promise<AskedOnce[]> {
  const random = new SeededRandom(load.seed);
  const startMs = performance.now();
  const answers: Promise<readonly AskedOnce[]>[] = [];
  let dueMs = 0;
  while (dueMs < load.durationMs) {
    while (dueMs <= performance.now() - startMs && dueMs < load.durationMs) {
      answers.push(askOnce(random.integer(requests.length), { startMs, load }));
      dueMs -= (1000 * Math.log(1 - random.uniform())) / load.perSecond;
    }
    await sleep(1);
  }
  return (await Promise.all(answers)).flat();
}

async function askOnce(
  n: number,
  { startMs, load }: { readonly startMs: number; readonly load: { readonly isPatient: boolean } },
): Promise<readonly AskedOnce[]> {
  const first = await ask(n, { startMs, isReturn: false });
  if (!load.isPatient || first.status !== 429) return [first];
  await sleep(first.retryAfterMs);
  return [first, await ask(n, { startMs, isReturn: true })];
}

async function ask(
  n: number,
  { startMs, isReturn }: { readonly startMs: number; readonly isReturn: boolean },
): Promise<AskedOnce> {
  const sentMs = performance.now();
  const { status, head } = await client.send(requests[n % requests.length] ?? Buffer.alloc(0));
  const nowMs = performance.now();
  return {
    answeredMs: nowMs - startMs,
    latencyMs: nowMs - sentMs,
    status,
    queueMs: numberOf(head, "x-strata-queue-ms"),
    retryAfterMs: numberOf(head, "retry-after-ms"),
    isReturn,
  };
}

/** The requests as bytes, each text with one model after the other. */
function requestsOf({ port, apiKey, models, texts }: OverloadTarget): readonly Buffer[] {
  const head = [
    "POST /v1/classify HTTP/1.1",
    `host: 127.0.0.1:${port}`,
    `authorization: Bearer ${apiKey}`,
    "content-type: application/json",
  ].join("\r\n");
  return Array.from({ length: models.length * 4 }, (_, n) => {
    const model = models[n % models.length];
    const body = JSON.stringify({ model, input: texts[n % texts.length], top_k: 1 });
    return Buffer.from(`${head}\r\ncontent-length: ${body.length}\r\n\r\n${body}`);
  });
}
