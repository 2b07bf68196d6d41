/**
 * The owner of a model from which many are derived at once, while others list: of such a batch all
 * is there or nothing, also for whoever reads by the catalog's other connection. It uploads and
 * deletes files besides, and has jobs make models of their own.
 */
import assert from "node:assert/strict";
import type { Client } from "../../src/client/client.ts";
import type { Random } from "../../src/foundation/random.ts";
import type { JobBook } from "./job-book.ts";
import { type Owner, unlessAbsent } from "./owner.ts";
import { ask, assertAlike, type Found, rowsOf } from "./texts.ts";

export interface BatchOwnerOptions {
  readonly random: Random;
  readonly jobs: JobBook;
}

const source = "source";
const task = "text-classification";
const batchSize = 40;
/** More would be listed for longer than a round takes. */
const batchCountMax = 30;

export class BatchOwner implements Owner {
  readonly #random: Random;
  readonly #jobs: JobBook;
  /** Batches that must be there: acknowledged, or seen. */
  readonly #known = new Set<number>();
  /** The answers of a derived model, by its name. */
  readonly #references = new Map<string, readonly Found[]>();
  /** Contents of files by id, and what was deleted. */
  readonly #files = new Map<string, Uint8Array>();
  readonly #deleted = new Set<string>();
  #hasSource = false;
  #begunCount = 0;

  constructor({ random, jobs }: BatchOwnerOptions) {
    this.#random = random;
    this.#jobs = jobs;
  }

  async live(client: Client): Promise<void> {
    await Promise.all([this.#change(client), this.#list(client)]);
  }

  async check(client: Client): Promise<void> {
    const seen = await this.#seen(client);
    for (const batch of this.#known) assert.equal(seen.get(batch), batchSize, `batch ${batch}`);
    for (const [name, found] of this.#references)
      assertAlike((await ask(client, task, name)).found, found, name);
    for (const [id, content] of this.#files) {
      if (this.#deleted.has(id)) continue;
      assert.ok(Buffer.from(content).equals(await client.fileContent(id)), id);
    }
    this.#hasSource = (await unlessAbsent(client.model(source))) !== undefined;
  }

  async #change(client: Client): Promise<void> {
    if (!this.#hasSource) {
      const file = await client.uploadFile(rowsOf(task, source), "source.jsonl");
      await client.createModel({ id: source, base: "tiny", training_file: file.id });
      this.#hasSource = true;
    }
    for (;;) {
      if (this.#begunCount < batchCountMax) await this.#derive(client);
      await this.#exchangeFiles(client);
      if (this.#random.uniform() < 0.3) await this.#submit(client);
    }
  }

  async #derive(client: Client): Promise<void> {
    this.#begunCount += 1;
    const batch = this.#begunCount;
    const ids = Array.from({ length: batchSize }, (_, index) => `batch-${batch}-${index}`);
    await client.deriveModels(source, { ids, noise: 0.2, seed: batch });
    this.#known.add(batch);
    const name = `batch-${batch}-${this.#random.integer(batchSize)}`;
    this.#references.set(name, (await ask(client, task, name)).found);
  }

  /** A file is uploaded, and perhaps one is deleted. */
  async #exchangeFiles(client: Client): Promise<void> {
    const content = rowsOf(task, `file-${this.#files.size}`);
    const { id } = await client.uploadFile(content, "some.jsonl");
    this.#files.set(id, content);
    const [oldest] = [...this.#files.keys()].filter((known) => !this.#deleted.has(known));
    if (oldest === undefined || this.#random.uniform() < 0.5) return;
    // From here on it may be there or not, until it is known to be gone.
    this.#deleted.add(oldest);
    await client.deleteFile(oldest);
    this.#files.delete(oldest);
    assert.equal(await unlessAbsent(client.file(oldest)), undefined, oldest);
  }

  async #submit(client: Client): Promise<void> {
    const file = await client.uploadFile(rowsOf("token-classification", "own"), "own.jsonl");
    await this.#jobs.submit(client, {
      model: "tiny",
      training_file: file.id,
      suffix: "own",
      hyperparameters: { n_epochs: 2, adapter: "lora", rank: 2, layers: "all" },
    });
  }

  async #list(client: Client): Promise<void> {
    for (;;) for (const batch of (await this.#seen(client)).keys()) this.#known.add(batch);
  }

  /** How many models there are of each batch: all or none. */
  async #seen(client: Client): Promise<ReadonlyMap<number, number>> {
    const counts = new Map<number, number>();
    for await (const { id } of client.models()) {
      const batch = Number(/^batch-(\d+)-/.exec(id)?.[1] ?? 0);
      if (batch > 0) counts.set(batch, (counts.get(batch) ?? 0) + 1);
    }
    return counts;
  }
}
