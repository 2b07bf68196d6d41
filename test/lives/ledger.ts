/**
 * What has been committed, and whether somebody had asked for it: the small model of what should
 * be. It learns of each commit by what SQLite tells, never by what Strata answers, and holds it
 * against the operations that are under way and the jobs that run.
 */
import type { AdapterSpecification } from "../../src/entities/virtual-model.ts";
import type { TaskName } from "../../src/foundation/kind-names.ts";
import type { Digest } from "../../src/foundation/digest.ts";
import { JobLedger } from "./job-ledger.ts";
import type {
  Change,
  FileLife,
  JobLife,
  ModelLife,
  ModelState,
  Surroundings,
  VersionLife,
} from "./ledger-entries.ts";
import type { Columns, RowChange } from "./simulated-catalog.ts";
import { Timeline, type Unsettled } from "./timeline.ts";

export class Ledger {
  readonly models = new Map<string, Timeline<ModelState>>();
  readonly files = new Map<string, FileLife>();
  readonly #jobs: JobLedger;
  readonly #lives = new Map<string, ModelLife>();
  readonly #around: Surroundings;
  /** Incarnations of the models that the transaction deletes. */
  #going: ReadonlySet<string> = new Set();
  /** Whether the transaction adds versions. */
  #isPublication = false;

  constructor(around: Surroundings) {
    this.#around = around;
    this.#jobs = new JobLedger(around);
  }

  get jobs(): ReadonlyMap<string, JobLife> {
    return this.#jobs.byId;
  }

  get publishedCount(): number {
    return this.#jobs.publishedCount;
  }

  get disturbedCount(): number {
    return this.#jobs.disturbedCount;
  }

  /** The changes of one transaction. */
  apply(changes: readonly RowChange[]): void {
    this.#isPublication = changes.some(({ table, before }) => table === "versions" && !before);
    const removed = changes.filter(({ table, after }) => table === "models" && !after);
    this.#going = new Set(removed.map(({ before }) => String(before?.["incarnation"])));
    for (const change of changes) this.#apply(change);
  }

  /** The row is there, and cannot be read any more. */
  rotted(table: string, row: Columns): void {
    const { step } = this.#around;
    const id = String(row["id"]);
    if (table === "models") {
      const timeline = this.models.get(id);
      const { now } = timeline ?? {};
      if (now !== undefined) timeline?.set({ ...now, rotStep: step }, step).settle(step);
    } else if (table === "versions") {
      const version = this.#lives.get(String(row["model"]))?.versions.get(Number(row["number"]));
      if (version !== undefined) version.rotStep ??= step;
    } else {
      const owner = table === "jobs" ? this.jobs.get(id) : this.files.get(id);
      if (owner !== undefined) owner.rotStep ??= step;
    }
  }

  #apply({ table, before, after }: RowChange): void {
    if (table === "models") this.#model(before, after);
    else if (table === "versions") this.#version(before, after);
    else if (table === "files") this.#file(before, after);
    else if (table === "jobs") this.#job(before, after);
    // Who writes an event has done what comes before it.
    else this.#jobs.settle(String((after ?? before)?.["job"]));
  }

  /** All states of the name that may be told to who asks in between these steps. */
  statesOf(name: string, from: number): readonly ModelState[] {
    const known = this.models.get(name);
    return known === undefined ? [undefined] : known.possible(from, this.#around.step);
  }

  /** Versions that exist now, with the state of their model. */
  *versions(): Generator<VersionLife> {
    for (const { now } of this.models.values())
      for (const version of now?.life.versions.values() ?? [])
        if (version.presence.now) yield version;
  }

  /** Every blob that a row names now. */
  named(): ReadonlySet<Digest> {
    const named = new Set<Digest>();
    for (const { blob, evidence } of this.versions()) {
      named.add(blob);
      if (evidence !== undefined) named.add(evidence);
    }
    for (const { blob, presence } of this.files.values()) if (presence.now) named.add(blob);
    return named;
  }

  /** A process has ended: what it had not told, nobody remembers any more. */
  settleAll(): void {
    for (const id of this.jobs.keys()) this.#jobs.settle(id);
  }

  #claim(change: Change, unsettled?: Unsettled): void {
    if (!this.#around.claim(change, unsettled))
      this.#around.fail(`nobody has asked for this: ${JSON.stringify(change)}`);
  }

  #model(before: Columns | undefined, after: Columns | undefined): void {
    const name = String((after ?? before)?.["id"]);
    const timeline = this.models.get(name) ?? new Timeline<ModelState>(undefined);
    this.models.set(name, timeline);
    if (after === undefined) this.#modelRemoved(name, timeline);
    else if (before === undefined) this.#modelAdded(after, timeline);
    else this.#modelChanged(before, after, timeline);
  }

  #modelAdded(row: Columns, timeline: Timeline<ModelState>): void {
    const [name, incarnation] = [String(row["id"]), String(row["incarnation"])];
    const versions = new Map<number, VersionLife>();
    const life: ModelLife = { name, incarnation, versions, highest: 0 };
    this.#lives.set(incarnation, life);
    const unsettled = timeline.set(stateOf(life, row), this.#around.step);
    if (!this.#jobs.mayMake(life, unsettled))
      this.#claim({ kind: "model added", name, row }, unsettled);
  }

  #modelRemoved(name: string, timeline: Timeline<ModelState>): void {
    const { step, claim } = this.#around;
    const life = timeline.now?.life;
    if (life !== undefined) this.#jobs.disturb(life);
    const unsettled = timeline.set(undefined, step);
    const isByJob = this.#jobs.mayMake(life, unsettled);
    const change = { kind: "model removed", name, isByJob } as const;
    if (!claim(change, unsettled) && !isByJob) this.#claim(change);
  }

  #modelChanged(before: Columns, after: Columns, timeline: Timeline<ModelState>): void {
    const { step, fail } = this.#around;
    const name = String(after["id"]);
    const life = timeline.now?.life;
    if (life?.incarnation !== after["incarnation"] || life === undefined)
      return fail(`the row of "${name}" is another model's than the one that was created`);
    for (const column of ["base", "createdAt", "task"])
      if (before[column] !== after[column]) fail(`"${name}" has changed its ${column}`);
    const state = stateOf(life, after);
    const unsettled = timeline.set(state, step);
    // What is published may be served with it.
    if (this.#isPublication) this.#jobs.runningFor(life)?.unsettled.push(unsettled);
    else this.#claim({ kind: "alias moved", name, number: state.served ?? 0 }, unsettled);
  }

  #version(before: Columns | undefined, after: Columns | undefined): void {
    const row = after ?? before ?? {};
    const life = this.#lives.get(String(row["model"]));
    const number = Number(row["number"]);
    const { fail } = this.#around;
    if (life === undefined) fail(`version ${number} belongs to no model`);
    else if (after === undefined) this.#versionRemoved(life, number);
    else if (before === undefined) this.#versionAdded(life, after);
    else fail(`version ${number} of "${life.name}" has changed`);
  }

  #versionRemoved(life: ModelLife, number: number): void {
    const { name } = life;
    const version = life.versions.get(number);
    if (version === undefined)
      return this.#around.fail(`version ${number} of "${name}" was never added`);
    const unsettled = version.presence.set(false, this.#around.step);
    // The rows of a model that is deleted go with it, and before it.
    if (!this.#going.has(life.incarnation))
      this.#claim({ kind: "version removed", name, number }, unsettled);
  }

  #versionAdded(life: ModelLife, row: Columns): void {
    const { name } = life;
    const number = Number(row["number"]);
    if (number <= life.highest)
      this.#around.fail(`version ${number} of "${name}" had been given before`);
    life.highest = Math.max(number, life.highest);
    const job = typeof row["job"] === "string" ? row["job"] : undefined;
    const presence = new Timeline(false);
    const unsettled = presence.set(true, this.#around.step);
    const evidence = (row["evidence"] ?? undefined) as Digest | undefined; // What the column holds.
    const blob = row["blob"] as Digest; // What the column holds.
    const what = `version ${number} of "${name}"`;
    if (evidence !== undefined) this.#bytesOf(evidence, what);
    life.versions.set(number, {
      life,
      number,
      task: row["task"] as TaskName, // What the column holds.
      labels: JSON.parse(String(row["labels"])) as string[], // A list of labels.
      blob,
      evidence,
      adapter: adapterOf(row["adapter"]),
      kind: String(row["kind"]),
      job,
      weights: this.#bytesOf(blob, what),
      presence,
    });
    const running = this.#jobs.runningFor(life);
    const isTrained = row["kind"] === "trained";
    const adapter = adapterOf(row["adapter"]);
    if (job !== undefined)
      this.#jobs.published({ life, number, job, adapter, isTrained, unsettled });
    // A job's instant version does not name it.
    else if (running !== undefined) running.unsettled.push(unsettled);
    else this.#claim({ kind: "version added", name, row }, unsettled);
  }

  /** The bytes that a new row names. */
  #bytesOf(digest: Digest, what: string): Uint8Array {
    const bytes = this.#around.whole(digest);
    if (bytes === undefined) this.#around.fail(`${what} names a blob that is not there`);
    return bytes ?? new Uint8Array();
  }

  #file(before: Columns | undefined, after: Columns | undefined): void {
    const { step, fail } = this.#around;
    const id = String((after ?? before)?.["id"]);
    if (after === undefined) {
      const unsettled = this.files.get(id)?.presence.set(false, step);
      return this.#claim({ kind: "file removed", id }, unsettled);
    }
    if (before !== undefined) return fail(`file "${id}" has changed`);
    const blob = after["blob"] as Digest; // What the column holds.
    const presence = new Timeline(false);
    const unsettled = presence.set(true, step);
    this.files.set(id, { id, blob, bytes: this.#bytesOf(blob, `file "${id}"`), presence });
    this.#claim({ kind: "file added", id, blob }, unsettled);
  }

  #job(before: Columns | undefined, after: Columns | undefined): void {
    const id = String((after ?? before)?.["id"]);
    let change: Change | undefined;
    if (after === undefined) {
      this.#jobs.removed(id);
      change = { kind: "job removed", id };
    } else if (before === undefined) {
      change = { kind: "job added", id, row: after };
      const from = this.#around.startOf(change);
      this.#jobs.added(change, this.statesOf(String(after["requestedModel"]), from));
    } else change = this.#jobs.changed(after);
    if (change !== undefined) this.#claim(change);
  }
}

function stateOf(life: ModelLife, row: Columns) {
  const { servedVersion, labels, task } = row;
  const served = servedVersion === null ? undefined : Number(servedVersion);
  return { life, served, labels: String(labels), task: task as TaskName }; // What it holds.
}

/** What the column of a version says of its adapter. */
function adapterOf(column: Columns[string] | undefined): AdapterSpecification | undefined {
  if (typeof column !== "string") return undefined;
  return JSON.parse(column) as AdapterSpecification; // The catalog writes it from this type.
}
