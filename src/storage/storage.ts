/**
 * `Store`: everything durable. Blobs are bytes named by their digest; the catalog holds the facts
 * about them. Whatever a method has answered for survives kill -9; what it has not answered for is
 * absent or complete, never half visible.
 */
import type { Digest } from "../foundation/digest.ts";
import type { BaseModel } from "../entities/base-model.ts";
import type { Caller, Tenant } from "../entities/caller.ts";
import type { Job, JobEvent } from "../entities/job.ts";
import type { TrainingFile } from "../entities/training-file.ts";
import type { Incarnation, Version, VirtualModel } from "../entities/virtual-model.ts";

export interface Store {
  readonly catalog: Catalog;
  /** Blobs to read. */
  readonly blobs: Blobs;
  /** The owner of their lives: who stores one and who deletes what named one tells it. */
  readonly keeper: Keeper;
  close(): Promise<void>;
}

/** Bytes by digest, to read. */
export interface Blobs {
  /** The bytes, checked against the digest: CORRUPT when they differ, or are not there. */
  get(digest: Digest): Promise<Uint8Array>;
  /**
   * The same bytes in pieces of at most `blobPieceBytesMax`, for what may be large. CORRUPT comes
   * before the first piece when there are none, and in place of the last when they differ: who has
   * all pieces has the right ones.
   */
  stream(digest: Digest): AsyncIterable<Uint8Array>;
  has(digest: Digest): Promise<boolean>;
  list(): AsyncIterable<Digest>;
  /** What was wrong with blobs when they were last read: nothing is known of what nobody reads. */
  readonly faults: ReadonlyMap<Digest, string>;
  /** Whether the whole blob was read in this process, and was right; false where none knows. */
  isWhole(digest: Digest): boolean;
}

/**
 * The one owner of blobs' lives. A blob lives while a row names it, and from before it is stored to
 * the end of the work that stored it; nobody else stores, removes or sets aside.
 */
export interface Keeper {
  /**
   * Runs `work`, which stores blobs by its argument and then names them in rows. When it has ended,
   * well or not, those of its blobs that no row came to name are removed. What cannot be removed is
   * left to a sweep; the outcome is that of `work`.
   */
  storing<T>(work: (storage: BlobWriter) => Promise<T>): Promise<T>;
  /**
   * Tells that rows are gone that named these blobs: those that no other row names and no work has
   * just stored are removed. Never rejects: what cannot be removed is left to a sweep.
   */
  dropped(digests: readonly Digest[]): Promise<void>;
  /**
   * Sets aside what nothing names, brings back what a row names again, and removes what nobody has
   * missed for `quarantineDaysMax`; see `sweep.ts`. CORRUPT, and nothing is touched, when the
   * catalog cannot be read whole. To be called right after opening, before anything is stored.
   */
  sweep(nowMs: number): Promise<Sweep>;
}

export interface BlobWriter {
  /**
   * Stores the bytes durably and returns their name; storing the same bytes again is cheap, and
   * mends a blob that has rotted.
   */
  put(bytes: Uint8Array): Promise<Digest>;
  /**
   * Stores a stream durably. Fails with TOO_LARGE past `bytesMax`, or with the stream's own error,
   * and leaves nothing behind.
   */
  putStream(chunks: AsyncIterable<Uint8Array>, bytesMax: number): Promise<StoredBytes>;
}

export interface StoredBytes {
  readonly digest: Digest;
  readonly bytes: number;
}

export interface Sweep {
  /** Blobs that no row names any more: they are in quarantine from now on. */
  readonly quarantinedCount: number;
  /** Blobs of the quarantine that a row names again: they are back. */
  readonly restoredCount: number;
  /** Blobs that were in quarantine for `quarantineDaysMax`: they are gone. */
  readonly removedCount: number;
}

/** What a driver gives: the bytes themselves, of which `keeper` alone makes use. */
export interface StoreDriver extends Store {
  readonly blobs: BlobDriver;
  readonly quarantine: Quarantine;
}

export type OnDigest = (digest: Digest) => Promise<void>;

export interface BlobDriver extends Blobs {
  /** `onDigest` is awaited when the name is known and before anybody finds the blob under it. */
  put(bytes: Uint8Array, onDigest?: OnDigest): Promise<Digest>;
  putStream(
    chunks: AsyncIterable<Uint8Array>,
    bytesMax: number,
    onDigest?: OnDigest,
  ): Promise<StoredBytes>;
  /** Removing what is absent is no error. */
  remove(digest: Digest): Promise<void>;
}

/**
 * Blobs that no row names, but that a row of an earlier catalog might: they are kept for a while.
 * `Blobs.list` leaves them out; who asks `Blobs` for one by its digest finds it and so brings it
 * back, and `BlobDriver.remove` removes it.
 */
export interface Quarantine {
  /** Sets the blob aside, with the time from which it is kept. */
  add(digest: Digest, sinceMs: number): Promise<void>;
  list(): AsyncIterable<QuarantinedBlob>;
  /** Brings the blob back; one that is not here is no error. */
  restore(digest: Digest): Promise<void>;
  /** Removes for good what lies here; one that does not is no error. */
  remove(digest: Digest): Promise<void>;
}

export interface QuarantinedBlob {
  readonly digest: Digest;
  /** Milliseconds since the epoch. */
  readonly sinceMs: number;
}

export interface Catalog {
  /** Base models, which all tenants share. */
  readonly bases: Table<BaseModel>;
  /**
   * What one tenant has: its own rows alone are there to be read, changed and deleted, and what it
   * inserts is its own. Names of models are a tenant's own, too.
   */
  of(owner: Pick<Caller, "tenant">): TenantCatalog;
  /** What spans tenants, for the start of a server, its sweep and its trainer. */
  readonly system: SystemCatalog;
}

export interface TenantCatalog {
  readonly models: Table<VirtualModel>;
  readonly versions: VersionTable;
  readonly jobs: Table<Job, "metadata">;
  readonly events: EventTable;
  readonly files: Table<TrainingFile, "purpose">;
}

/** A row, and whose it is. */
export type Owned<Row> = Row & { readonly tenant: Tenant };

/** It reads, and writes nothing: what is done is done for a tenant. */
export interface SystemCatalog {
  /** Whether a model of any tenant has this name. */
  hasModel(id: string): Promise<boolean>;
  /** The name of a model, of any tenant, that stands on the base; undefined without one. */
  modelOn(base: string): Promise<string | undefined>;
  countModels(): Promise<number>;
  /** All jobs that can be read, in order of creation. */
  jobs(): AsyncIterable<Owned<Job>>;
  /**
   * How many versions and files name this blob, as weights, evidence or content; at 0 it may be
   * removed.
   */
  countBlobUses(blob: Digest): Promise<number>;
  /** All blobs that a version or a file names. */
  namedBlobs(): Promise<ReadonlySet<Digest>>;
}

export interface PageOptions {
  /**
   * Rows after the row with this id, in order of creation, whether it would be listed or not;
   * unknown ids give INVALID_ARGUMENT.
   */
  readonly after?: string;
  readonly limit: number;
  /** Newest first; the default is oldest first. */
  readonly descending?: boolean;
}

/**
 * What a row must have to be listed: the same text in a field, or in a field of entries all of
 * these.
 */
export type Where<Row, Name extends keyof Row> = { readonly [Field in Name]?: Row[Field] };

export interface ListOptions<Row, Name extends keyof Row> extends PageOptions {
  readonly where?: Where<Row, Name>;
}

/** Rows named by `id`, kept in order of creation; they can be listed by the fields `Name`. */
export interface Table<Row extends { readonly id: string }, Name extends keyof Row = never> {
  /** ALREADY_EXISTS when the id is taken. */
  insert(row: Row): Promise<void>;
  get(id: string): Promise<Row | undefined>;
  /** Replaces the row; NOT_FOUND when there is none. */
  update(row: Row): Promise<void>;
  /** True when there was a row. */
  delete(id: string): Promise<boolean>;
  list(options: ListOptions<Row, Name>): Promise<readonly Row[]>;
  count(): Promise<number>;
}

export interface VersionPage {
  /** Versions of higher numbers, whether there is one of this number or not. */
  readonly after?: number;
  readonly limit: number;
  readonly where?: Where<Version, "job">;
}

export interface VersionTable {
  /**
   * Adds the version, counts it in its model and, if `isServed`, moves the model's alias and labels
   * to it, in one transaction. NOT_FOUND when the model is gone, ALREADY_EXISTS when the number is
   * taken.
   */
  insert(version: Version, options: { readonly isServed: boolean }): Promise<void>;
  /**
   * Adds models, each with its first version, served at once, in one transaction per call.
   * ALREADY_EXISTS when one of the ids is taken; then none is added.
   */
  insertWithModels(
    rows: readonly { readonly model: VirtualModel; readonly version: Version }[],
  ): Promise<void>;
  get(model: Incarnation, number: number): Promise<Version | undefined>;
  /** The names of those whose weights are this blob, whether their rows can be read or not. */
  naming(blob: Digest): Promise<readonly Pick<Version, "model" | "number">[]>;
  /** Versions of a model, by number. They vanish with their model. */
  list(model: Incarnation, options: VersionPage): Promise<readonly Version[]>;
  /** True when there was such a version. */
  delete(model: Incarnation, number: number): Promise<boolean>;
}

export interface EventTable {
  /** NOT_FOUND when there is no such job; its events vanish with it. */
  append(event: JobEvent): Promise<void>;
  list(job: string, options: PageOptions): Promise<readonly JobEvent[]>;
}
