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
  readonly mark: CommitMark;
  readonly reserve: Reserve;
}

type Work<T> = (transaction: Transaction<CatalogTables>) => Promise<T>;

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
      return this.#commit(work);
    });
  }

  /** Changes or deletes rows, with the help of the reserve when the disk is full. */
  change<T>(action: string, work: Work<T>): Promise<T> {
    return guardDisk(action, async () => {
      try {
        return await this.#commit(work);
      } catch (error) {
        if (!isDiskFull(error) || !(await this.#parts.reserve.spend())) throw error;
        return this.#commit(work);
      }
    });
  }

  async #commit<T>(work: Work<T>): Promise<T> {
    const { database, mark } = this.#parts;
    let changeCount = 0;
    const result = await database.transaction().execute(async (transaction) => {
      const done = await work(transaction);
      const { rows } = await transaction.executeQuery(this.#counting);
      changeCount = present(rows[0], "The catalog has a state").changeCount;
      return done;
    });
    mark.advance(changeCount);
    return result;
  }
}
