/**
 * Every change of the catalog: one transaction, which the catalog counts and the mark beside it
 * remembers. On a full disk only what makes room, or what settles a row that is there, may use the
 * reserve; what adds rows is refused.
 */
import type { Kysely, Transaction } from "kysely";
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

  constructor(parts: CatalogWriterParts) {
    this.#parts = parts;
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
      const counted = await transaction
        .updateTable("state")
        .set(({ eb }) => ({ changeCount: eb("changeCount", "+", 1) }))
        .returning("changeCount")
        .executeTakeFirstOrThrow();
      ({ changeCount } = counted);
      return done;
    });
    mark.advance(changeCount);
    return result;
  }
}
