/** Clients: each asks for one thing after another, and sees its requests die with the server. */
import { SeededRandom, type Random } from "../../src/foundation/random.ts";
import type { Auditor } from "./auditor.ts";
import { download, listFiles } from "./file-operations.ts";
import { classify } from "./inference-operations.ts";
import type { Machine } from "./machine.ts";
import { listModels, listVersions, retrieveModel } from "./model-operations.ts";
import { type Answer, bodyOf, type Operation } from "./operation.ts";
import type { Profile } from "./profile.ts";
import type { Server } from "./server.ts";
import type { ServerProcess } from "./server-process.ts";
import { Workload } from "./workload.ts";

export interface ClientOptions {
  readonly machine: Machine;
  readonly auditor: Auditor;
  readonly server: Server;
  readonly profile: Profile;
  readonly seed: number;
  readonly operationCount: number;
}

const streams = { clients: 6, workload: 7 } as const;

export class Clients {
  readonly #options: ClientOptions;
  readonly #random: Random;
  readonly #workload: Workload;
  /** What is asked for at the end, each thing once. */
  #rest: Operation[] = [];
  #leftCount: number;
  #judging: Promise<void> = Promise.resolve();
  beganCount = 0;

  constructor(options: ClientOptions) {
    this.#options = options;
    this.#random = new SeededRandom(options.seed, streams.clients);
    const random = new SeededRandom(options.seed, streams.workload);
    this.#workload = new Workload(random, options.auditor.ledger);
    this.#leftCount = options.operationCount;
  }

  get areDone(): boolean {
    const isAsking = this.#options.auditor.waitingCount > 0;
    return this.#leftCount <= 0 && this.#rest.length === 0 && !isAsking;
  }

  start(): void {
    for (let client = 0; client < this.#options.profile.clientCount; client++) this.#later();
  }

  /** Asks for everything that should be there, now that nothing else happens. */
  askForAll(): void {
    const { ledger } = this.#options.auditor;
    this.#rest = [listModels(), listFiles()];
    for (const [name, { now }] of ledger.models) {
      this.#rest.push(retrieveModel(name), listVersions(name));
      this.#rest.push(classify({ name, version: undefined, texts: ["w1", "w2 w0"] }));
      for (const version of now?.life.versions.keys() ?? [])
        this.#rest.push(classify({ name, version, texts: ["w3"] }));
    }
    for (const id of ledger.files.keys()) this.#rest.push(download(id));
    this.#later();
  }

  #later(): void {
    const delayMs = -Math.log(1 - this.#random.uniform()) * this.#options.profile.thinkMs;
    this.#options.machine.time.after(delayMs, () => this.#next());
  }

  #next(): void {
    const { server } = this.#options;
    const { process } = server;
    if (process === undefined) return this.#later();
    const operation = this.#rest.pop() ?? this.#new();
    if (operation === undefined) return;
    void this.#perform(process, operation);
  }

  #new(): Operation | undefined {
    if (this.#leftCount <= 0) return undefined;
    this.#leftCount -= 1;
    return this.#workload.next();
  }

  async #perform(process: ServerProcess, operation: Operation): Promise<void> {
    const { machine, auditor, profile } = this.#options;
    this.beganCount += 1;
    machine.trace.say(`${machine.time.step} ask ${operation.what}`);
    const abort = new AbortController();
    const pending = auditor.begin(operation, () => this.#later());
    if (this.#random.uniform() < profile.abortShare)
      machine.time.after(machine.time.latencyMs() * 10, () => {
        pending.isAborted = true;
        abort.abort();
      });
    const answer = await answerOf(process, operation.request(abort.signal));
    if (!auditor.isPending(pending)) return;
    // One after another, since how long a judgement takes depends on what is known from before.
    this.#judging = this.#judging.then(async () => {
      await auditor.judge(pending, answer);
      this.#later();
    });
  }
}

interface WireFault {
  readonly error?: { readonly code: string; readonly message: string };
}

/** The answer with its body, read to its end. */
async function answerOf(process: ServerProcess, request: Request): Promise<Answer> {
  const response = await process.http.fetch(request);
  const { status, headers } = response;
  try {
    const bytes = new Uint8Array(await response.arrayBuffer());
    if (headers.get("content-type") !== "application/json")
      return { status, body: undefined, bytes, code: undefined, message: "" };
    const body: unknown = JSON.parse(new TextDecoder().decode(bytes));
    const { error } = bodyOf<WireFault>({ body });
    return { status, body, bytes, code: error?.code, message: error?.message ?? "" };
  } catch (error) {
    // The connection ends in the midst of the answer.
    const message = `it broke off: ${String(error)}`;
    return { status: 500, body: undefined, bytes: new Uint8Array(), code: "corrupt", message };
  }
}
