/**
 * The owner of one name, under which a model is created, trained, moved by its alias, robbed of
 * versions, deleted while a job trains it, and created anew with other labels.
 */
import assert from "node:assert/strict";
import type { Client } from "../../src/client/client.ts";
import type { ModelVersion } from "../../src/contract/models.ts";
import type { AdapterKindName, TaskName } from "../../src/foundation/kind-names.ts";
import { present } from "../../src/foundation/assert.ts";
import type { Random } from "../../src/foundation/random.ts";
import type { JobBook } from "./job-book.ts";
import { type Owner, unlessAbsent } from "./owner.ts";
import { ask, assertAlike, type Found, labelsOf, rowsOf } from "./texts.ts";

/** What is known of a version: it never changes. */
interface Reference {
  readonly digest: string;
  readonly found: readonly Found[];
}

/** A model from its creation to its deletion. */
interface Life {
  /** What its labels are called by. */
  readonly mark: string;
  readonly versions: Map<number, Reference>;
  served: number;
  /** The highest number that was known when the alias was last seen or moved. */
  knownMax: number;
}

/** A change whose answer has not come. */
type Doubt =
  | { readonly kind: "creation"; readonly life: Life }
  | { readonly kind: "deletion" }
  | { readonly kind: "serving" | "version deletion"; readonly number: number };

export interface ModelOwnerOptions {
  readonly name: string;
  readonly task: TaskName;
  readonly adapter: AdapterKindName;
  readonly random: Random;
  readonly jobs: JobBook;
}

/** A job of so many takes about as long as a round, so that kills come amid jobs. */
const epochCountMax = 6;

export class ModelOwner implements Owner {
  readonly #options: ModelOwnerOptions;
  #life: Life | undefined;
  #doubt: Doubt | undefined;
  /** The job that trains the model. */
  #job: string | undefined;
  #lifeCount = 0;
  /** Changes that were acknowledged. */
  changeCount = 0;
  /** Models that were deleted before their job had succeeded. */
  disturbedCount = 0;

  constructor(options: ModelOwnerOptions) {
    this.#options = options;
  }

  async live(client: Client): Promise<void> {
    for (;;) {
      const life = this.#life;
      if (life === undefined) await this.#create(client);
      else await this.#change(client, life);
    }
  }

  async check(client: Client): Promise<void> {
    const { name } = this.#options;
    const doubt = this.#doubt;
    const model = await unlessAbsent(client.model(name));
    if (model === undefined) {
      assert.ok(this.#life === undefined || doubt?.kind === "deletion", `"${name}" is lost`);
      await this.#die(client);
    } else {
      const born = doubt?.kind === "creation" ? doubt.life : undefined;
      const life = (this.#life ??= present(born, `"${name}" has been deleted and is there`));
      await this.#look(client, life);
    }
    this.#doubt = undefined;
  }

  async #create(client: Client): Promise<void> {
    const { name, task } = this.#options;
    this.#lifeCount += 1;
    const mark = `${name}-${this.#lifeCount}`;
    const file = await client.uploadFile(rowsOf(task, mark), `${mark}.jsonl`);
    const life: Life = { mark, versions: new Map(), served: 1, knownMax: 1 };
    this.#doubt = { kind: "creation", life };
    await client.createModel({ id: name, base: "tiny", training_file: file.id });
    this.#doubt = undefined;
    this.changeCount += 1;
    this.#life = life;
    await this.#look(client, life);
  }

  async #change(client: Client, life: Life): Promise<void> {
    const { name, random } = this.#options;
    const chance = random.uniform();
    const others = [...life.versions.keys()].filter((number) => number !== life.served);
    const other = others[random.integer(others.length)];
    if (chance < 0.3) return this.#train(client, life);
    if (chance < 0.7 && other !== undefined) {
      this.#doubt = { kind: "serving", number: other };
      await client.serveVersion(name, other);
      [life.served, life.knownMax] = [other, Math.max(...life.versions.keys())];
    } else if (chance < 0.75 && other !== undefined) {
      this.#doubt = { kind: "version deletion", number: other };
      await client.deleteVersion(name, other);
      life.versions.delete(other);
    } else if (chance > 0.985) {
      this.#doubt = { kind: "deletion" };
      await client.deleteModel(name);
      await this.#die(client);
    } else return this.#look(client, life);
    this.#doubt = undefined;
    this.changeCount += 1;
  }

  /** The model has been deleted, perhaps under a job that trains it. */
  async #die(client: Client): Promise<void> {
    this.#life = undefined;
    const job = this.#job;
    this.#job = undefined;
    if (job === undefined) return;
    const { status } = await this.#options.jobs.look(client, job);
    if (status !== "succeeded") this.disturbedCount += 1;
  }

  async #train(client: Client, life: Life): Promise<void> {
    const { name, task, adapter, random, jobs } = this.#options;
    if (this.#job !== undefined) {
      const { finished_at: end } = await jobs.look(client, this.#job);
      if (end === null) return this.#look(client, life);
    }
    const file = await client.uploadFile(rowsOf(task, life.mark), "more.jsonl");
    const job = await jobs.submit(client, {
      model: name,
      training_file: file.id,
      seed: random.integer(1000),
      hyperparameters: { n_epochs: 1 + random.integer(epochCountMax), adapter, rank: 2 },
    });
    this.#job = job.id;
  }

  /** Looks at all versions: known ones are as they were, and new ones whole. */
  async #look(client: Client, life: Life): Promise<void> {
    const { name, task } = this.#options;
    const labels = labelsOf(task, life.mark);
    const versions = await client.versions(name);
    const model = await client.model(name);
    assert.ok(model.strata.kind === "vplm");
    assert.deepEqual(model.strata.labels.toSorted(), labels, `"${name}" has others' labels`);
    this.#checkKnown(life, versions);
    for (const version of versions) await this.#ask(client, life, version);
    const { version, found } = await ask(client, task, name);
    const reference = life.versions.get(version);
    if (reference !== undefined) assertAlike(found, reference.found, `"${name}"`);
    const now = (await client.model(name)).strata;
    assert.ok(now.kind === "vplm" && now.version !== null, `"${name}" is half there`);
    this.#checkServed(life, now.version, await client.versions(name));
  }

  #checkKnown(life: Life, versions: readonly ModelVersion[]): void {
    const { name } = this.#options;
    const doubt = this.#doubt;
    for (const [number, { digest }] of life.versions) {
      const found = versions.find(({ version }) => version === number);
      const isDoubtful = doubt?.kind === "version deletion" && doubt.number === number;
      if (found === undefined && isDoubtful) life.versions.delete(number);
      else assert.equal(found?.digest, digest, `"${name}@${number}" is lost or another`);
    }
    const makers = versions.flatMap(({ job }) => job ?? []);
    assert.equal(new Set(makers).size, makers.length, `a job of "${name}" has published twice`);
  }

  async #ask(client: Client, life: Life, { version, digest }: ModelVersion): Promise<void> {
    const { name, task } = this.#options;
    const { found } = await ask(client, task, `${name}@${version}`);
    const known = life.versions.get(version);
    if (known === undefined) life.versions.set(version, { digest, found });
    else assertAlike(found, known.found, `"${name}@${version}"`);
    const labels = labelsOf(task, life.mark);
    for (const { what } of found)
      assert.ok(
        labels.some((label) => what.endsWith(label)),
        `"${name}@${version}" answers ${what}`,
      );
  }

  /** The alias stands where it was last put, or on what a job has published since. */
  #checkServed(life: Life, served: number, versions: readonly ModelVersion[]): void {
    const doubt = this.#doubt;
    const row = versions.find(({ version }) => version === served);
    const isByJob = served > life.knownMax && row?.job !== null && row?.outcome === "served";
    const isDoubtful = doubt?.kind === "serving" && doubt.number === served;
    assert.ok(
      served === life.served || isByJob || isDoubtful,
      `"${this.#options.name}" serves ${served}, expected ${life.served}`,
    );
    [life.served, life.knownMax] = [served, Math.max(...life.versions.keys())];
  }
}
