/**
 * Every change of the catalog: one transaction, which the catalog counts and the mark beside it
 * remembers. On a full disk only what makes room, or what settles a row that is there, may use the
 * reserve; what adds rows is refused.
 */
import type { CompiledQuery, Kysely, Transaction } from "kysely";
import { present } from "../../foundation/assert.ts";
import { guardDisk, isDiskFull } from "./disk-errors.ts";
import type { CommitMark } from "./commit-mark.ts";
import type { Reserve } from "./reserve.ts";
import type { CatalogTables } from "./schema.ts";

export interface CatalogWriterParts {
  readonly database: Kysely<CatalogTables>;
  readonly mark: Pick<CommitMark, "advance">;
  readonly reserve: Reserve;
}

type Work<T> = (transaction: Transaction<CatalogTables>) => Promise<T>;

interface Committed<T> {
  readonly result: T;
  readonly changeCount: number;
}

export class CatalogWriter {
  readonly #parts: CatalogWriterParts;
  readonly #counting: CompiledQuery<{ readonly changeCount: number }>;

  constructor(parts: CatalogWriterParts) {
    this.#parts = parts;
    // Compiled once: it is part of every change.
    this.#counting = parts.database
      .updateTable("state")
      .set(({ eb }) => ({ changeCount: eb("changeCount", "+", 1) }))
      .returning("changeCount")
      .compile();
  }

  /** Adds rows; UNAVAILABLE when the disk is full. */
  add<T>(action: string, work: Work<T>): Promise<T> {
    return guardDisk(action, async () => {
      await this.#parts.reserve.require(action);
      return this.#acknowledge(await this.#commit(work));
    });
  }

  /** Changes or deletes rows, with the help of the reserve when the disk is full. */
  change<T>(action: string, work: Work<T>): Promise<T> {
    return guardDisk(action, async () =>
      this.#acknowledge(await this.#withReserve(() => this.#commit(work))),
    );
  }

  #commit<T>(work: Work<T>): Promise<Committed<T>> {
    return this.#parts.database.transaction().execute(async (transaction) => {
      const result = await work(transaction);
      const { rows } = await transaction.executeQuery(this.#counting);
      return { result, ...present(rows[0], "The catalog has a state") };
    });
  }

  /** What is committed is never done again: when the mark finds the disk full, it alone is. */
  async #acknowledge<T>({ result, changeCount }: Committed<T>): Promise<T> {
    await this.#withReserve(async () => this.#parts.mark.advance(changeCount));
    return result;
  }

  async #withReserve<T>(attempt: () => Promise<T>): Promise<T> {
    try {
      return await attempt();
    } catch (error) {
      if (!isDiskFull(error) || !(await this.#parts.reserve.spend())) throw error;
      return attempt();
    }
  }
}
