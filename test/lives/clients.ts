/** Clients: each asks for one thing after another, and sees its requests die with the server. */
import type { Tenant } from "../../src/entities/caller.ts";
import { present } from "../../src/foundation/assert.ts";
import { SeededRandom, type Random } from "../../src/foundation/random.ts";
import type { Auditor } from "./auditor.ts";
import { download, listFiles } from "./file-operations.ts";
import { classify, classifyTokens } from "./inference-operations.ts";
import type { Ledger } from "./ledger.ts";
import type { Machine } from "./machine.ts";
import { listModels, listVersions, retrieveModel } from "./model-operations.ts";
import { type Answer, bodyOf, type Operation, requestOf } from "./operation.ts";
import type { Profile } from "./profile.ts";
import type { Server } from "./server.ts";
import type { ServerProcess } from "./server-process.ts";
import { keyHolders } from "./tenants.ts";
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

/** Whoever asks in the name of one tenant. */
interface Side {
  readonly tenant: Tenant;
  readonly key: string;
  readonly workload: Workload;
  /** What is asked for at the end, each thing once. */
  rest: Operation[];
}

interface Asked extends Pick<Side, "tenant" | "key"> {
  readonly operation: Operation;
  /** It is called when it is over, be it answered or not. */
  onEnd(): void;
}

/** The share of operations beside which a crowd asks. */
const crowdShare = 0.05;

export class Clients {
  readonly #options: ClientOptions;
  readonly #random: Random;
  readonly #sides: readonly Side[];
  #leftCount: number;
  #judging: Promise<void> = Promise.resolve();
  beganCount = 0;

  constructor(options: ClientOptions) {
    this.#options = options;
    this.#random = new SeededRandom(options.seed, streams.clients);
    const random = new SeededRandom(options.seed, streams.workload);
    const { auditor } = options;
    this.#sides = keyHolders.map(({ caller: { tenant }, key }) => {
      const ledger = auditor.ledgerOf(tenant);
      const others = auditor.ledgers.filter((each) => each !== ledger);
      return { tenant, key, workload: new Workload(random, { ledger, others }), rest: [] };
    });
    this.#leftCount = options.operationCount;
  }

  get areDone(): boolean {
    const isAsking = this.#options.auditor.waitingCount > 0;
    const isAllAsked = this.#sides.every(({ rest }) => rest.length === 0);
    return this.#leftCount <= 0 && isAllAsked && !isAsking;
  }

  start(): void {
    for (let client = 0; client < this.#options.profile.clientCount; client++)
      this.#later(present(this.#sides[client % this.#sides.length], "there are sides"));
  }

  /** Asks for everything that should be there, now that nothing else happens. */
  askForAll(): void {
    for (const side of this.#sides) {
      side.rest = restOf(this.#options.auditor.ledgerOf(side.tenant));
      this.#later(side);
    }
  }

  #later(side: Side): void {
    const delayMs = -Math.log(1 - this.#random.uniform()) * this.#options.profile.thinkMs;
    this.#options.machine.time.after(delayMs, () => this.#next(side));
  }

  #next(side: Side): void {
    const { process } = this.#options.server;
    if (process === undefined) return this.#later(side);
    const operation = side.rest.pop() ?? this.#new(side);
    if (operation === undefined) return;
    void this.#perform(process, { ...side, operation, onEnd: () => this.#later(side) });
    this.#crowd(process, side);
  }

  /** Now and then many ask at once. */
  #crowd(process: ServerProcess, side: Side): void {
    if (this.#leftCount <= 0 || this.#random.uniform() >= crowdShare) return;
    const crowd = side.workload.crowd();
    this.#leftCount -= crowd.length;
    for (const operation of crowd)
      void this.#perform(process, { ...side, operation, onEnd: () => {} });
  }

  #new({ workload }: Side): Operation | undefined {
    if (this.#leftCount <= 0) return undefined;
    this.#leftCount -= 1;
    return workload.next();
  }

  async #perform(process: ServerProcess, asked: Asked): Promise<void> {
    const { tenant, key, operation, onEnd } = asked;
    const { machine, auditor, profile } = this.#options;
    this.beganCount += 1;
    machine.trace.say(`${machine.time.step} ${tenant} asks ${operation.what}`);
    const abort = new AbortController();
    const pending = auditor.begin({ operation, tenant, onEnd });
    if (this.#random.uniform() < profile.abortShare)
      machine.time.after(machine.time.latencyMs() * 10, () => {
        pending.isAborted = true;
        abort.abort();
      });
    const request = requestOf(operation.wire, { signal: abort.signal, ownKey: key });
    const answer = await answerOf(process, request);
    if (!auditor.isPending(pending)) return;
    // One after another, since how long a judgement takes depends on what is known from before.
    this.#judging = this.#judging.then(async () => {
      await auditor.judge(pending, answer);
      onEnd();
    });
  }
}

/** Everything that a tenant should have. */
function restOf(ledger: Ledger): Operation[] {
  const rest = [listModels(), listFiles()];
  for (const [name, { now }] of ledger.models) {
    rest.push(retrieveModel(name), listVersions(name));
    const ask = now?.task === "token-classification" ? classifyTokens : classify;
    rest.push(ask({ name, version: undefined, texts: ["w1", "w2 w0"] }));
    for (const version of now?.life.versions.keys() ?? [])
      rest.push(ask({ name, version, texts: ["w3"] }));
  }
  for (const id of ledger.files.keys()) rest.push(download(id));
  return rest;
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
