/** Whole tables as they lie in the file, of which memory holds a page at a time. */
import { type QueryExecutorProvider, sql } from "kysely";
import { limits } from "../../foundation/limits.ts";
import { Pace } from "../../foundation/pace.ts";

export interface RawRow {
  /** SQLite's own number of the row. */
  readonly place: number;
  /** All columns of the table. */
  readonly record: object;
}

/** Every row of the table for which the condition holds, by place. */
export async function* rawRows(
  database: QueryExecutorProvider,
  table: string,
  condition: string = "TRUE",
): AsyncGenerator<RawRow, void, undefined> {
  const pace = new Pace();
  const limit = limits.catalogPageRowCountMax;
  for (let after = 0; ;) {
    const { rows } = await sql<{ readonly place: number }>`
      SELECT rowid AS "place", * FROM ${sql.table(table)}
      WHERE ${sql.raw(condition)} AND rowid > ${after} ORDER BY rowid LIMIT ${limit}
    `.execute(database);
    for (const { place, ...record } of rows) {
      if (pace.isDue) await pace.rest();
      yield { place, record };
      after = place;
    }
    if (rows.length < limit) return;
  }
}
