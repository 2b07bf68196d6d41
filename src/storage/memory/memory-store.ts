/**
 * The store without a disk, for tests and demonstrations. Rows are copied in and out, so that a
 * caller can change neither what is stored nor what another one reads.
 */
import type { BaseModel } from "../../entities/base-model.ts";
import { operator } from "../../entities/caller.ts";
import { assert } from "../../foundation/assert.ts";
import type { Job, JobEvent } from "../../entities/job.ts";
import type { TrainingFile } from "../../entities/training-file.ts";
import type { Incarnation, Version, VirtualModel } from "../../entities/virtual-model.ts";
import { type Digest, digestInPieces } from "../../foundation/digest.ts";
import { limits } from "../../foundation/limits.ts";
import { BlobKeeper } from "../blob-keeper.ts";
import { blobMissing, checkedStream, pageStartMissing, rowMissing, rowTaken } from "../checks.ts";
import type {
  BlobDriver,
  Catalog,
  EventTable,
  PageOptions,
  Quarantine,
  QuarantinedBlob,
  StoredBytes,
  StoreDriver,
  SystemCatalog,
  Table,
  TenantCatalog,
  VersionTable,
} from "../storage.ts";

export function createMemoryStore(): StoreDriver {
  const [blobs, catalog] = [new MemoryBlobs(), memoryCatalog()];
  const { quarantine } = blobs;
  const keeper = new BlobKeeper({ blobs, quarantine, catalog });
  return { blobs, catalog, quarantine, keeper, async close() {} };
}

class MemoryBlobs implements BlobDriver {
  readonly #blobs = new Map<Digest, Uint8Array>();
  readonly #aside = new Map<Digest, { readonly bytes: Uint8Array; readonly sinceMs: number }>();
  readonly quarantine: Quarantine = {
    add: async (digest, sinceMs) => {
      const bytes = this.#blobs.get(digest);
      if (bytes !== undefined) this.#aside.set(digest, { bytes, sinceMs });
      this.#blobs.delete(digest);
    },
    list: () => this.#listAside(),
    restore: async (digest) => this.#restore(digest),
    remove: async (digest) => void this.#aside.delete(digest),
  };

  async put(bytes: Uint8Array, onDigest?: (digest: Digest) => Promise<void>): Promise<Digest> {
    const digest = await digestInPieces(bytes);
    await onDigest?.(digest);
    if (!this.#blobs.has(digest)) this.#blobs.set(digest, bytes.slice());
    return digest;
  }

  async putStream(
    chunks: AsyncIterable<Uint8Array>,
    bytesMax: number,
    onDigest?: (digest: Digest) => Promise<void>,
  ): Promise<StoredBytes> {
    const held: Uint8Array[] = [];
    let bytes = 0;
    for await (const chunk of checkedStream(chunks, bytesMax)) {
      bytes += chunk.length;
      held.push(chunk.slice());
    }
    return { digest: await this.put(Buffer.concat(held), onDigest), bytes };
  }

  async get(digest: Digest): Promise<Uint8Array> {
    this.#restore(digest);
    const bytes = this.#blobs.get(digest);
    if (bytes === undefined) throw blobMissing(digest);
    return bytes.slice();
  }

  async *stream(digest: Digest): AsyncIterable<Uint8Array> {
    const bytes = await this.get(digest);
    for (let start = 0; start < bytes.length; start += limits.blobPieceBytesMax)
      yield bytes.subarray(start, start + limits.blobPieceBytesMax);
  }

  async has(digest: Digest): Promise<boolean> {
    this.#restore(digest);
    return this.#blobs.has(digest);
  }

  async *list(): AsyncIterable<Digest> {
    yield* [...this.#blobs.keys()];
  }

  async remove(digest: Digest): Promise<void> {
    this.#blobs.delete(digest);
    this.#aside.delete(digest);
  }

  async *#listAside(): AsyncIterable<QuarantinedBlob> {
    for (const [digest, { sinceMs }] of [...this.#aside]) yield { digest, sinceMs };
  }

  #restore(digest: Digest): void {
    const aside = this.#aside.get(digest);
    if (aside !== undefined) this.#blobs.set(digest, aside.bytes);
    this.#aside.delete(digest);
  }
}

function memoryCatalog(): Catalog {
  const versions = new Map<Incarnation, Version[]>();
  const models = new MemoryTable<VirtualModel>("models", ({ incarnation }) =>
    versions.delete(incarnation),
  );
  const events = new MemoryTable<JobEvent>("events");
  const jobs = new MemoryTable<Job>("jobs", ({ id }) => {
    for (const event of events.rows()) if (event.job === id) events.remove(event.id);
  });
  const files = new MemoryTable<TrainingFile>("files");
  const own: TenantCatalog = {
    models,
    versions: new MemoryVersions(versions, models),
    jobs,
    events: eventTable(events, jobs),
    files,
  };
  return {
    bases: new MemoryTable<BaseModel>("bases"),
    of({ tenant }) {
      assert(tenant === operator.tenant, "There is one tenant");
      return own;
    },
    system: memorySystem({ models, jobs, files, versions }),
  };
}

interface MemoryRows {
  readonly models: MemoryTable<VirtualModel>;
  readonly jobs: MemoryTable<Job>;
  readonly files: MemoryTable<TrainingFile>;
  readonly versions: ReadonlyMap<Incarnation, readonly Version[]>;
}

function memorySystem({ models, jobs, files, versions }: MemoryRows): SystemCatalog {
  const named = (): Digest[] => {
    const all = [...versions.values()].flat();
    const evidence = all.flatMap((version) => version.evidence ?? []);
    return [...[...all, ...files.rows()].map(({ blob }) => blob), ...evidence];
  };
  return {
    hasModel: async (id) => models.has(id),
    modelOn: async (base) => models.rows().find((model) => model.base === base)?.id,
    countModels: () => models.count(),
    async *jobs() {
      for (const job of jobs.rows()) yield { ...structuredClone(job), tenant: operator.tenant };
    },
    countBlobUses: async (blob) => named().filter((digest) => digest === blob).length,
    namedBlobs: async () => new Set(named()),
  };
}

/** A map keeps the order of insertion, which is the order of creation. */
class MemoryTable<Row extends { readonly id: string }> implements Table<Row> {
  readonly #name: string;
  readonly #removed: (row: Row) => void;
  readonly #rows = new Map<string, Row>();

  constructor(name: string, removed: (row: Row) => void = () => {}) {
    this.#name = name;
    this.#removed = removed;
  }

  async insert(row: Row): Promise<void> {
    if (this.#rows.has(row.id)) throw rowTaken(this.#name, row.id);
    this.put(row);
  }

  async get(id: string): Promise<Row | undefined> {
    return structuredClone(this.#rows.get(id));
  }

  async update(row: Row): Promise<void> {
    if (!this.#rows.has(row.id)) throw rowMissing(this.#name, row.id);
    this.put(row);
  }

  async delete(id: string): Promise<boolean> {
    return this.remove(id);
  }

  async list(options: PageOptions): Promise<readonly Row[]> {
    return this.page(options, () => true);
  }

  async count(): Promise<number> {
    return this.#rows.size;
  }

  put(row: Row): void {
    this.#rows.set(row.id, structuredClone(row));
  }

  has(id: string): boolean {
    return this.#rows.has(id);
  }

  rows(): readonly Row[] {
    return [...this.#rows.values()];
  }

  remove(id: string): boolean {
    const row = this.#rows.get(id);
    if (row !== undefined) this.#removed(row);
    return this.#rows.delete(id);
  }

  page(options: PageOptions, isWanted: (row: Row) => boolean): readonly Row[] {
    const rows = this.rows().filter(isWanted);
    if (options.descending === true) rows.reverse();
    const { after } = options;
    const start = after === undefined ? 0 : rows.findIndex((row) => row.id === after) + 1;
    if (after !== undefined && start === 0) throw pageStartMissing(this.#name, after);
    return structuredClone(rows.slice(start, start + options.limit));
  }
}

class MemoryVersions implements VersionTable {
  readonly #versions: Map<Incarnation, Version[]>;
  readonly #models: MemoryTable<VirtualModel>;

  constructor(versions: Map<Incarnation, Version[]>, models: MemoryTable<VirtualModel>) {
    this.#versions = versions;
    this.#models = models;
  }

  async insert(version: Version, options: { readonly isServed: boolean }): Promise<void> {
    const model = this.#models.rows().find(({ incarnation }) => incarnation === version.model);
    if (model === undefined) throw rowMissing("models", version.model);
    const versions = this.#versions.get(version.model) ?? [];
    if (versions.some(({ number }) => number === version.number))
      throw rowTaken("versions", `${version.model}@${version.number}`);
    const sorted = [...versions, structuredClone(version)];
    this.#versions.set(
      version.model,
      sorted.toSorted((left, right) => left.number - right.number),
    );
    const { number, labels } = version;
    const counted = { ...model, versionCount: number };
    this.#models.put(options.isServed ? { ...counted, servedVersion: number, labels } : counted);
  }

  async insertWithModels(
    rows: readonly { readonly model: VirtualModel; readonly version: Version }[],
  ): Promise<void> {
    const ids = new Set(rows.map(({ model }) => model.id));
    if (ids.size < rows.length || rows.some(({ model }) => this.#models.has(model.id)))
      throw rowTaken("models", "one of the new ids");
    for (const { model, version } of rows) {
      const { number } = version;
      this.#models.put({ ...model, servedVersion: number, versionCount: number });
      this.#versions.set(model.incarnation, [structuredClone(version)]);
    }
  }

  async get(model: Incarnation, number: number): Promise<Version | undefined> {
    const versions = this.#versions.get(model) ?? [];
    return structuredClone(versions.find((version) => version.number === number));
  }

  async list(model: Incarnation): Promise<readonly Version[]> {
    return structuredClone(this.#versions.get(model) ?? []);
  }

  async delete(model: Incarnation, number: number): Promise<boolean> {
    const versions = this.#versions.get(model) ?? [];
    const left = versions.filter((version) => version.number !== number);
    this.#versions.set(model, left);
    return left.length < versions.length;
  }
}

function eventTable(events: MemoryTable<JobEvent>, jobs: MemoryTable<Job>): EventTable {
  return {
    async append(event) {
      if (!jobs.has(event.job)) throw rowMissing("jobs", event.job);
      await events.insert(event);
    },
    async list(job, options) {
      return events.page(options, (event) => event.job === job);
    },
  };
}
