/** Holds every commit, every answer and every blob against what should be. */
import type { Tenant } from "../../src/entities/caller.ts";
import { present } from "../../src/foundation/assert.ts";
import { type Digest, digestOf } from "../../src/foundation/digest.ts";
import { limits } from "../../src/foundation/limits.ts";
import { Ledger } from "./ledger.ts";
import { type Change, isFinal, type JobLife, type Surroundings } from "./ledger-entries.ts";
import type { Machine } from "./machine.ts";
import type { Answer, Claim, Pending } from "./operation.ts";
import type { References } from "./references.ts";
import type { Columns, Rotten, RowChange } from "./simulated-catalog.ts";
import { keyHolders } from "./tenants.ts";
import type { Unsettled } from "./timeline.ts";

/** A fault may be felt by who came a little later, as one who waits for the same sync. */
const faultMemorySteps = 300;
const deadlineMs = 60_000;

/** A store as a start finds it. */
export interface Unswept {
  readonly nowMs: number;
  readonly quarantined: ReturnType<Machine["quarantined"]>;
  /** Blobs that no row names and that are not set aside. */
  readonly orphans: readonly Digest[];
}

const dayMs = 24 * 60 * 60 * 1000;

export class Auditor {
  readonly #ledgers: ReadonlyMap<Tenant, Ledger>;
  readonly #machine: Machine;
  readonly #references: References;
  readonly #pending = new Set<Pending>();
  readonly #digests = new WeakMap<Uint8Array, Digest>();
  /** The first one; what follows from it tells nothing new. */
  violation: string | undefined;
  /** The step at which the process began. */
  startStep = 0;
  /** Whether the server starts or stops. */
  isBetweenRuns = true;

  constructor(machine: Machine, references: References) {
    this.#machine = machine;
    this.#references = references;
    this.#ledgers = new Map(
      keyHolders.map(({ caller: { tenant } }) => [tenant, new Ledger(this.#surroundings(tenant))]),
    );
  }

  /** What should be of one tenant. */
  ledgerOf(tenant: Tenant): Ledger {
    return present(this.#ledgers.get(tenant), "each tenant has a ledger");
  }

  get ledgers(): readonly Ledger[] {
    return [...this.#ledgers.values()];
  }

  /** A row has rotted: from now on it is neither told, nor taken for absent. */
  rotted({ table, row }: Rotten): void {
    const owner = ownerOf(row);
    if (owner !== undefined) this.ledgerOf(owner).rotted(table, row);
  }

  /** The changes of one transaction, which is one tenant's. */
  apply(changes: readonly RowChange[]): void {
    const owners = new Set(changes.flatMap(({ before, after }) => [before, after]).map(ownerOf));
    owners.delete(undefined);
    const [owner] = owners;
    if (owner === undefined) return;
    const ledger = this.#ledgers.get(owner);
    if (owners.size > 1 || ledger === undefined)
      this.fail(`one transaction changes rows of ${[...owners].join(" and ")}`);
    else ledger.apply(changes);
  }

  fail(message: string): void {
    this.#machine.trace.say(`${this.#machine.time.step} VIOLATION ${message}`);
    this.violation ??= message;
  }

  get waitingCount(): number {
    return [...this.#pending].filter(({ isLost }) => !isLost).length;
  }

  /** Whether nothing goes on behind an answer. */
  get isQuiet(): boolean {
    return this.#pending.size === 0;
  }

  isPending(pending: Pending): boolean {
    return this.#pending.has(pending);
  }

  begin(asked: Pick<Pending, "operation" | "tenant" | "onEnd">): Pending {
    const { step, nowMs } = this.#machine.time;
    const pending = {
      ...asked,
      from: step,
      fromMs: nowMs,
      claims: [],
      isAborted: false,
      isLost: false,
    };
    this.#pending.add(pending);
    return pending;
  }

  /** The operation is answered: whether that may be, and what it has changed is known to all. */
  async judge(pending: Pending, answer: Answer): Promise<void> {
    const { operation, from, claims } = pending;
    const { time, trace } = this.#machine;
    const { step } = time;
    trace.say(`${step} answered ${operation.what}: ${answer.status} ${answer.code ?? ""}`);
    const fault = await this.#faultOf(pending, answer);
    if (fault !== undefined)
      this.fail(`${operation.what} (asked at ${from}, answered at ${step}): ${fault}`);
    // What was given up may go on behind its answer, as long as the process lives.
    const { status } = answer;
    pending.isLost =
      status === 429 || status === 499 || (status >= 500 && operation.goesOn === true);
    if (pending.isLost) return;
    this.#pending.delete(pending);
    const isRefused = answer.status >= 400 && answer.status < 500;
    for (const claim of claims) this.#leave(claim, isRefused);
    this.checkBlobs();
  }

  /** The process has ended, and with it everything that was under way. */
  processEnded(): void {
    const { step } = this.#machine.time;
    const ended = [...this.#pending];
    this.#pending.clear();
    for (const { claims, isLost, onEnd } of ended) {
      for (const { unsettled } of claims) unsettled?.settle(step);
      if (!isLost) onEnd();
    }
    for (const ledger of this.ledgers) ledger.settleAll();
  }

  /** Every blob that a row names is there and whole, unless a fault has struck just that one. */
  checkBlobs(): void {
    for (const digest of this.#named())
      if (this.#whole(digest) === undefined) this.fail(`blob ${digest} is named and not there`);
  }

  /** No blob is there that no row names: right after a sweep, or when nothing is under way. */
  checkOrphans(): void {
    const named = this.#named();
    for (const path of this.#machine.blobPaths()) {
      const digest = digestIn(path);
      if (!named.has(digest)) this.fail(`blob ${digest} is there and no row names it`);
    }
  }

  /** What lies in the store, to be compared with what a sweep makes of it. */
  beforeSweep(): Unswept {
    const named = this.#named();
    const digests = this.#machine.blobPaths().map((path) => digestIn(path));
    return {
      nowMs: this.#machine.time.nowMs,
      quarantined: this.#machine.quarantined(),
      orphans: digests.filter((digest) => !named.has(digest)),
    };
  }

  /** What no row names is kept for its time, and not longer. */
  checkQuarantine({ nowMs, quarantined, orphans }: Unswept): void {
    const named = this.#named();
    const now = this.#machine.quarantined();
    const keptMs = limits.quarantineDaysMax * dayMs;
    const unnamed = [...quarantined].filter(([digest]) => !named.has(digest));
    for (const [digest, times] of unnamed) {
      const [sinceMs = 0] = times.toReversed();
      const isThere = now.get(digest)?.includes(sinceMs) === true;
      // Of two times a sweep sees one; the next one sees the other.
      if (nowMs - sinceMs > keptMs && times.length === 1 && isThere)
        this.fail(`blob ${digest} is set aside for longer than it is kept`);
      // The sweep itself takes its time.
      if (this.#machine.time.nowMs - sinceMs <= keptMs && !now.has(digest))
        this.fail(`blob ${digest} was set aside and is gone too early`);
    }
    const gone = orphans.find((digest) => !named.has(digest) && !now.has(digest));
    if (gone !== undefined) this.fail(`blob ${gone} is gone, and was never set aside`);
  }

  /** Every job has ended when all is calm and nobody asks. */
  get openJobs(): readonly JobLife[] {
    const jobs = this.ledgers.flatMap((ledger) => [...ledger.jobs.values()]);
    return jobs.filter(({ status, rotStep }) => !isFinal(status.now) && rotStep === undefined);
  }

  /** Every blob that a row of any tenant names now. */
  #named(): ReadonlySet<Digest> {
    return new Set(this.ledgers.flatMap((ledger) => [...ledger.named()]));
  }

  async #faultOf(pending: Pending, answer: Answer): Promise<string | undefined> {
    const { operation, tenant, from, fromMs, claims, isAborted } = pending;
    const { status, code, message } = answer;
    const { time, faults, isHurt } = this.#machine;
    if (status === 499) return isAborted ? undefined : "nobody had cancelled it";
    if (status === 429)
      return time.nowMs - fromMs >= deadlineMs || /texts/.test(message)
        ? undefined
        : `it was refused too early: ${message}`;
    if (status >= 500) {
      const isExcused = faults.countSince(from - faultMemorySteps) > 0;
      return isExcused || (code === "corrupt" && isHurt) ? undefined : `${status}: ${message}`;
    }
    const ledger = this.ledgerOf(tenant);
    const changes = claims.map(({ change }) => change);
    const others = this.ledgers.filter((each) => each !== ledger);
    const references = this.#references;
    const { startStep } = this;
    const judgement = { ledger, others, references, from, step: time.step, startStep, changes };
    return operation.fault(answer, judgement);
  }

  #surroundings(tenant: Tenant): Surroundings {
    const { time } = this.#machine;
    const isBetweenRuns = (): boolean => this.isBetweenRuns;
    return {
      get step() {
        return time.step;
      },
      get isBetweenRuns() {
        return isBetweenRuns();
      },
      claim: (change, unsettled) => this.#claim(change, this.#askersOf(tenant, change), unsettled),
      startOf: (change) =>
        this.#askersOf(tenant, change).reduce(
          (least, { from }) => Math.min(least, from),
          time.step,
        ),
      whole: (digest) => this.#whole(digest),
      fail: (message) => this.fail(message),
      hasExcuse: (job) => this.#hasExcuse(job, this.ledgerOf(tenant)),
    };
  }

  #askersOf(tenant: Tenant, change: Change): readonly Pending[] {
    return [...this.#pending].filter(
      (pending) => pending.tenant === tenant && pending.operation.may(change),
    );
  }

  #claim(change: Change, askers: readonly Pending[], unsettled: Unsettled | undefined): boolean {
    const count = askers.length;
    const makerCount = count + ("isByJob" in change && change.isByJob ? 1 : 0);
    const claim: Claim = { change, unsettled, waitingFor: count, makerCount };
    for (const { claims } of askers) claims.push(claim);
    return askers.length > 0;
  }

  #whole(digest: Digest): Uint8Array | undefined {
    const bytes = this.#machine.bytesOf(digest);
    if (bytes === undefined) return undefined;
    const meant = this.#machine.meant.get(digest);
    if (this.#machine.isSpoilt(digest)) return meant ?? bytes;
    const known = this.#digests.get(bytes) ?? digestOf(bytes);
    this.#digests.set(bytes, known);
    return known === digest ? bytes : undefined;
  }

  #hasExcuse({ addedStep, targets, file, model, incarnation }: JobLife, ledger: Ledger): boolean {
    const { faults, isHurt, time } = this.#machine;
    if (isHurt || faults.countSince(addedStep - faultMemorySteps) > 0) return true;
    const presence = ledger.files.get(file)?.presence;
    if (presence?.possible(addedStep, time.step).includes(false) !== false) return true;
    const stateOf = (name: string) => ledger.models.get(name)?.now?.life;
    if ([...targets].some((life) => stateOf(life.name) !== life)) return true;
    return model !== undefined && stateOf(model)?.incarnation !== incarnation;
  }

  /** One of those who may have made a change is over. */
  #leave(claim: Claim, isRefused: boolean): void {
    claim.waitingFor -= 1;
    if (claim.waitingFor === 0) claim.unsettled?.settle(this.#machine.time.step);
    if (!isRefused) return;
    claim.makerCount -= 1;
    if (claim.makerCount === 0)
      this.fail(`all who may have done it were refused: ${JSON.stringify(claim.change)}`);
  }
}

/** The digest that a blob's file is called by. */
function digestIn(path: string): Digest {
  return `sha256:${path.slice(path.lastIndexOf("/") + 1)}`;
}

/** The tenant of a row. */
function ownerOf(row: Columns | undefined): Tenant | undefined {
  return row?.["tenant"] as Tenant | undefined; // What the column holds.
}
