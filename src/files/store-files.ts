/** The files of a store. A blob leaves with the last row that names it. */
import pLimit from "p-limit";
import { faultSummary } from "../datasets/datasets.ts";
import type { Caller } from "../entities/caller.ts";
import type { TrainingFile } from "../entities/training-file.ts";
import type { Clock } from "../foundation/clock.ts";
import { limits } from "../foundation/limits.ts";
import { peek } from "../foundation/peek.ts";
import type { Ids } from "../foundation/random.ts";
import { requireRow, unlessDeleted, unlessRotten } from "../storage/checks.ts";
import type { Store, Table } from "../storage/storage.ts";
import type {
  ArrivingFile,
  FileContent,
  FileListOptions,
  Files,
  ReadFile,
  ReceivedFile,
  WantedFile,
} from "./files.ts";
import { readExamples } from "./user-file.ts";
import { remarksText } from "./remarks.ts";

export interface FileParts {
  readonly store: Store;
  readonly clock: Clock;
  readonly ids: Ids;
}

export function createFiles(parts: FileParts): Files {
  return new StoreFiles(parts);
}

/** What reading a file for training finds. */
type FileFindings = Pick<TrainingFile, "task" | "faultSummary">;

/** What is known of a file that is not read when it comes. */
const unread: FileFindings = { task: undefined, faultSummary: undefined };

class StoreFiles implements Files {
  readonly #parts: FileParts;
  /** Each check holds its file's texts in memory. */
  readonly #checks = pLimit(limits.fileCheckCountMax);

  constructor(parts: FileParts) {
    this.#parts = parts;
  }

  accept(caller: Caller, arriving: ArrivingFile): Promise<TrainingFile> {
    const { store } = this.#parts;
    return store.keeper.storing(async (storage) => {
      const received = await arriving.receive((chunks) =>
        storage.putStream(chunks, limits.uploadBytesMax),
      );
      const row = await arriving.within((signal) => this.#rowOf(received, signal));
      await this.#table(caller).insert(row);
      return row;
    });
  }

  get(caller: Caller, id: string, field = "id"): Promise<TrainingFile> {
    return requireRow("file", this.#table(caller), { id, field });
  }

  list(caller: Caller, options: FileListOptions): Promise<readonly TrainingFile[]> {
    return this.#table(caller).list(options);
  }

  async delete(caller: Caller, id: string): Promise<void> {
    const file = await unlessRotten(this.get(caller, id));
    await this.#table(caller).delete(id);
    if (file !== undefined) await this.#parts.store.keeper.dropped([file.blob]);
  }

  async content(caller: Caller, id: string): Promise<FileContent> {
    const file = await this.get(caller, id);
    // That there are no bytes, or wrong ones in place of the first, is told at once.
    const bytes = this.#parts.store.blobs.stream(file.blob);
    const { all } = await unlessDeleted(peek(bytes, 1), () => this.get(caller, id));
    return { file, bytes: all };
  }

  async read(caller: Caller, { id, field, signal }: WantedFile): Promise<ReadFile> {
    const file = await this.get(caller, id, field);
    const { blob, filename } = file;
    const chunks = this.#parts.store.blobs.stream(blob);
    const reading = readExamples({ chunks, filename, field, signal });
    return { file, dataset: await unlessDeleted(reading, () => this.get(caller, id, field)) };
  }

  async #rowOf(received: ReceivedFile, signal: AbortSignal): Promise<TrainingFile> {
    const { clock, ids } = this.#parts;
    const { purpose, bytes, digest } = received;
    const filename = received.filename.slice(0, limits.fileNameCharactersMax) || "file";
    const found =
      purpose === "fine-tune"
        ? await this.#checks(() => this.#checked({ ...received, filename }, signal))
        : unread;
    return {
      id: ids.next("file-"),
      filename,
      purpose,
      bytes,
      blob: digest,
      createdAt: clock.now(),
      ...found,
    };
  }

  /** What the file is for, and its user should know; INVALID_ARGUMENT when no line can be used. */
  async #checked({ digest, filename }: ReceivedFile, signal: AbortSignal): Promise<FileFindings> {
    const chunks = this.#parts.store.blobs.stream(digest);
    const dataset = await readExamples({ chunks, filename, field: "file", signal });
    const { examples, shortage } = dataset;
    const faults = faultSummary(dataset, examples.length);
    const remarks = [...(faults === undefined ? [] : [faults]), ...dataset.warnings];
    return { task: dataset.task, faultSummary: remarksText(remarks, shortage) };
  }

  #table(caller: Caller): Table<TrainingFile, "purpose"> {
    return this.#parts.store.catalog.of(caller).files;
  }
}
