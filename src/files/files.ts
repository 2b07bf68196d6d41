/**
 * `Files`: what tenants upload. It alone writes the table of files, and whoever needs what a file
 * holds has it read here: the check of an upload, a model that is created with a file, a job.
 */
import type { Dataset } from "../datasets/datasets.ts";
import type { Caller } from "../entities/caller.ts";
import type { TrainingFile } from "../entities/training-file.ts";
import type { ListOptions, StoredBytes } from "../storage/storage.ts";

export interface Files {
  /**
   * Stores an upload as it arrives, checks it, and names it in a row. What `receive` and the check
   * refuse leaves nothing behind: INVALID_ARGUMENT when no line of a file for training can be used,
   * TOO_LARGE past `uploadBytesMax`, and whatever `receive` fails with.
   */
  accept(caller: Caller, arriving: ArrivingFile): Promise<TrainingFile>;
  /** NOT_FOUND, which blames `field`, when the caller has no such file. */
  get(caller: Caller, id: string, field?: string): Promise<TrainingFile>;
  /** A page of the caller's files, of one purpose or of all. */
  list(caller: Caller, options: FileListOptions): Promise<readonly TrainingFile[]>;
  /** Deletes the file, and its bytes when no other row names them. NOT_FOUND when it is absent. */
  delete(caller: Caller, id: string): Promise<void>;
  /** The bytes as they were uploaded. NOT_FOUND without the file, CORRUPT when they have rotted. */
  content(caller: Caller, id: string): Promise<FileContent>;
  /** What the file holds, see `readExamples`; NOT_FOUND, which blames `field`, without it. */
  read(caller: Caller, wanted: WantedFile): Promise<ReadFile>;
}

export type FileListOptions = ListOptions<TrainingFile, "purpose">;

/** An upload whose bytes are still to come. */
export interface ArrivingFile {
  /** Takes the upload in; `store` takes its bytes, once. */
  receive(store: StoreBytes): Promise<ReceivedFile>;
  /** Runs the check, which begins when all is received, as long as that may last. */
  within<T>(check: (signal: AbortSignal) => Promise<T>): Promise<T>;
}

export type StoreBytes = (chunks: AsyncIterable<Uint8Array>) => Promise<StoredBytes>;

export interface ReceivedFile extends StoredBytes {
  readonly filename: string;
  readonly purpose: string;
}

export interface FileContent {
  readonly file: TrainingFile;
  readonly bytes: AsyncIterable<Uint8Array>;
}

export interface ReadFile {
  readonly file: TrainingFile;
  readonly dataset: Dataset;
}

export interface WantedFile {
  readonly id: string;
  /** The field of a request that names the file, which is blamed for it. */
  readonly field: string;
  readonly signal?: AbortSignal | undefined;
}
