/**
 * One tenant's rows of a table in SQL, or rows that are nobody's own. What is wanted of a list is
 * found by an index, and asked of each row again once its check has been compared.
 */
import { type Kysely, type RawBuilder, sql, type SqlBool, type Transaction } from "kysely";
import type { Tenant } from "../../entities/caller.ts";
import { present } from "../../foundation/assert.ts";
import { isListed, pageStartMissing, rowMissing, rowTaken } from "../checks.ts";
import type { PageOptions, Table, Where } from "../storage.ts";
import type { CatalogWriter } from "./catalog-writer.ts";
import { guardDisk } from "./disk-errors.ts";
import { fromRecord, type RecordForm, toRecord } from "./records.ts";
import type { Page, RowReader } from "./row-reader.ts";
import type { CatalogTables } from "./schema.ts";
import { isOrphan, isTaken } from "./sqlite.ts";

export interface TableParts {
  readonly database: Kysely<CatalogTables>;
  readonly writer: CatalogWriter;
  readonly reader: RowReader;
}

export interface TableForm extends RecordForm {
  /** The table in which the row's entries in a field lie once more, to be found by. */
  readonly entries?: { readonly field: "metadata"; readonly table: "jobMetadata" };
  /** The table of the row that a field names, without which there can be none. */
  readonly parent?: { readonly field: string; readonly table: string };
}

/** The interface says by which fields a table can be listed: those that have an index. */
interface AnyListOptions<Row> extends PageOptions {
  readonly where?: Where<Row, keyof Row>;
}

type Condition = RawBuilder<SqlBool>;

export class SqlTable<Row extends { readonly id: string }> implements Table<Row, keyof Row> {
  readonly #parts: TableParts;
  readonly #name: "jobs";
  readonly #form: TableForm;
  readonly #tenant: Tenant | undefined;

  /** The tenant of the rows; without one they are nobody's own. */
  constructor(parts: TableParts, form: TableForm, tenant?: Tenant) {
    this.#parts = parts;
    this.#name = form.table as "jobs"; // Of its columns those are named that all tables have.
    this.#form = form;
    this.#tenant = tenant;
  }

  async insert(row: Row): Promise<void> {
    await this.#parts.writer.add(`insert into ${this.#name}`, async (transaction) => {
      const insert = transaction.insertInto(this.#name).values(this.#record(row));
      try {
        const { sequence } = await insert.returning("sequence").executeTakeFirstOrThrow();
        await this.#writeEntries(transaction, row, sequence);
      } catch (error) {
        const { parent } = this.#form;
        if (isTaken(error)) throw rowTaken(this.#name, row.id);
        if (parent === undefined || !isOrphan(error)) throw error;
        throw rowMissing(parent.table, String(fieldOf(row, parent.field)));
      }
    });
  }

  get(id: string): Promise<Row | undefined> {
    const select = this.#parts.database.selectFrom(this.#name).selectAll().where(this.#named(id));
    return guardDisk(`read ${this.#name}`, async () => {
      const record = await select.executeTakeFirst();
      return record && fromRecord<Row>(record, this.#form);
    });
  }

  async update(row: Row): Promise<void> {
    await this.#parts.writer.change(`update ${this.#name}`, async (transaction) => {
      const update = transaction.updateTable(this.#name).set(this.#record(row));
      const changed = update.where(this.#named(row.id)).returning("sequence");
      const place = await changed.executeTakeFirst();
      if (place === undefined) throw rowMissing(this.#name, row.id);
      await this.#writeEntries(transaction, row, place.sequence);
    });
  }

  delete(id: string): Promise<boolean> {
    return this.#parts.writer.change(`delete from ${this.#name}`, async (transaction) => {
      const remove = transaction.deleteFrom(this.#name).where(this.#named(id));
      return (await remove.executeTakeFirst()).numDeletedRows > 0n;
    });
  }

  list(options: AnyListOptions<Row>): Promise<readonly Row[]> {
    const { limit, descending = false, where = {} } = options;
    return guardDisk(`list ${this.#name}`, async () =>
      this.#parts.reader.page<Row>(this.#form, {
        limit,
        after: await this.#placeOf(options.after),
        next: this.#nextOf(where, descending),
        isWanted: (row) => isListed(row, where),
      }),
    );
  }

  async count(): Promise<number> {
    const select = this.#parts.database
      .selectFrom(this.#name)
      .select(({ fn }) => fn.countAll<number>().as("count"))
      .where(allOf(this.#own()));
    const row = await guardDisk(`count ${this.#name}`, () => select.executeTakeFirstOrThrow());
    return row.count;
  }

  #record(row: Row): ReturnType<typeof toRecord<Row & { readonly tenant: Tenant }>> {
    // A row that is nobody's own has no such column.
    const owned = { ...row, ...(this.#tenant !== undefined && { tenant: this.#tenant }) };
    return toRecord(this.#name, owned as Row & { readonly tenant: Tenant }); // as said above
  }

  #own(): readonly Condition[] {
    return this.#tenant === undefined ? [] : [sql`"tenant" = ${this.#tenant}`];
  }

  #named(id: string): Condition {
    return allOf([...this.#own(), sql`"id" = ${id}`]);
  }

  async #placeOf(id: string | undefined): Promise<number | undefined> {
    if (id === undefined) return undefined;
    const select = this.#parts.database.selectFrom(this.#name).select("sequence");
    const start = await select.where(this.#named(id)).executeTakeFirst();
    if (start === undefined) throw pageStartMissing(this.#name, id);
    return start.sequence;
  }

  /** Rows in order of creation, or against it. */
  #nextOf(where: Where<Row, keyof Row>, isDescending: boolean): Page["next"] {
    const table = sql.table(this.#name);
    const { texts, entries } = wantedOf(where);
    // Where tenant and place are looked up: among the rows, or among the entries that lead to them.
    const guide = entries.length === 0 ? table : sql.table("found");
    const from = entries.length === 0 ? table : led;
    const own =
      this.#tenant === undefined ? [] : [sql<SqlBool>`${guide}."tenant" = ${this.#tenant}`];
    const conditions = [...own, ...texts, ...entries.map(holding)];
    const [sign, order] = isDescending ? ["<", "DESC"] : [">", "ASC"];
    return async (after, limit) => {
      const place = sql`${guide}."sequence"`;
      const rest = after === undefined ? [] : [sql<SqlBool>`${place} ${sql.raw(sign)} ${after}`];
      const { rows } = await sql<{ readonly sequence: number }>`
        SELECT ${table}.* FROM ${from} WHERE ${allOf([...conditions, ...rest])}
        ORDER BY ${place} ${sql.raw(order)} LIMIT ${limit}
      `.execute(this.#parts.database);
      return rows;
    };
  }

  async #writeEntries(
    transaction: Transaction<CatalogTables>,
    row: Row,
    sequence: number,
  ): Promise<void> {
    const { entries } = this.#form;
    if (entries === undefined) return;
    const tenant = present(this.#tenant, "Rows with entries are a tenant's own");
    await transaction.deleteFrom(entries.table).where("sequence", "=", sequence).execute();
    const found = wantedOf({ entries: fieldOf(row, entries.field) }).entries;
    if (found.length === 0) return;
    const values = found.map(([key, value]) => ({ tenant, key, value: String(value), sequence }));
    await transaction.insertInto(entries.table).values(values).execute();
  }
}

type Entry = readonly [key: string, value: unknown];

/**
 * An entry leads to its job. SQLite would rather walk all jobs of the tenant; that it cannot know
 * what an expression gives keeps it from that.
 */
const led = sql`"jobMetadata" AS "found" JOIN "jobs" ON "jobs"."sequence" = "found"."sequence"
  AND "jobs"."tenant" || '' = "found"."tenant"`;

/** The first of the entries leads to rows, which must hold the others too. */
function holding([key, value]: Entry, index: number): Condition {
  if (index === 0) return sql`"found"."key" = ${key} AND "found"."value" = ${value}`;
  return sql`EXISTS (SELECT 1 FROM "jobMetadata" AS "other"
    WHERE "other"."tenant" = "found"."tenant" AND "other"."sequence" = "found"."sequence"
    AND "other"."key" = ${key} AND "other"."value" = ${value})`;
}

interface Wanted {
  readonly texts: readonly Condition[];
  readonly entries: readonly Entry[];
}

/** What a list asks for: fields that are a text, and entries of fields. */
function wantedOf(where: object): Wanted {
  const texts: Condition[] = [];
  const entries: Entry[] = [];
  for (const [name, wanted] of Object.entries(where)) {
    const value: unknown = wanted;
    if (typeof value === "object" && value !== null) entries.push(...Object.entries(value));
    else if (value !== undefined) texts.push(sql`${sql.ref(name)} = ${value}`);
  }
  return { texts, entries };
}

function allOf(conditions: readonly Condition[]): Condition {
  return conditions.length === 0 ? sql`TRUE` : sql`${sql.join(conditions, sql` AND `)}`;
}

function fieldOf(row: object, name: string): unknown {
  return Reflect.get(row, name);
}
