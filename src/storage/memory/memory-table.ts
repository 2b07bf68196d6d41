/** One tenant's rows of a table. They are copied in and out: what is stored changes here alone. */
import type { Tenant } from "../../entities/caller.ts";
import { present } from "../../foundation/assert.ts";
import { isListed, pageStartMissing, rowMissing, rowTaken } from "../checks.ts";
import type { Owned, PageOptions, Table, Where } from "../storage.ts";

/** The rows of all tenants by `keyOf`; a map keeps the order of insertion, that of creation. */
export type Rows<Row> = Map<string, Owned<Row>>;

export interface MemoryTableParts<Row> {
  readonly rows: Rows<Row>;
  readonly tenant: Tenant;
  /** Called with each row that is removed. */
  readonly removed?: (row: Row) => void;
}

/** It can be listed by any field; the interface says by which ones a table is. */
interface AnyListOptions<Row> extends PageOptions {
  readonly where?: Where<Row, keyof Row>;
}

export class MemoryTable<Row extends { readonly id: string }> implements Table<Row, keyof Row> {
  readonly #name: string;
  readonly #parts: MemoryTableParts<Row>;

  constructor(name: string, parts: MemoryTableParts<Row>) {
    this.#name = name;
    this.#parts = parts;
  }

  async insert(row: Row): Promise<void> {
    if (this.has(row.id)) throw rowTaken(this.#name, row.id);
    this.put(row);
  }

  async get(id: string): Promise<Row | undefined> {
    const row = this.#parts.rows.get(this.#keyOf(id));
    return row && copyOf(row);
  }

  async update(row: Row): Promise<void> {
    if (!this.has(row.id)) throw rowMissing(this.#name, row.id);
    this.put(row);
  }

  async delete(id: string): Promise<boolean> {
    return this.remove(id);
  }

  async list(options: AnyListOptions<Row>): Promise<readonly Row[]> {
    const { after, limit, where = {} } = options;
    const rows = [...this.rows()];
    if (options.descending === true) rows.reverse();
    const start = after === undefined ? 0 : rows.findIndex((row) => row.id === after) + 1;
    if (after !== undefined && start === 0) throw pageStartMissing(this.#name, after);
    const page: Row[] = [];
    for (let index = start; index < rows.length && page.length < limit; index++) {
      const row = present(rows[index], "an index of the rows");
      if (isListed(row, where)) page.push(copyOf(row));
    }
    return page;
  }

  async count(): Promise<number> {
    return this.rows().length;
  }

  put(row: Row): void {
    const { rows, tenant } = this.#parts;
    rows.set(this.#keyOf(row.id), { ...structuredClone(row), tenant });
  }

  has(id: string): boolean {
    return this.#parts.rows.has(this.#keyOf(id));
  }

  /** The rows themselves, which nobody may change. */
  rows(): readonly Owned<Row>[] {
    return [...this.#parts.rows.values()].filter(({ tenant }) => tenant === this.#parts.tenant);
  }

  remove(id: string): boolean {
    const { rows, removed } = this.#parts;
    const row = rows.get(this.#keyOf(id));
    if (row !== undefined) removed?.(row);
    return rows.delete(this.#keyOf(id));
  }

  #keyOf(id: string): string {
    return keyOf(this.#parts.tenant, id);
  }
}

/** No tenant's name has white space. */
export function keyOf(tenant: Tenant, id: string): string {
  return `${tenant} ${id}`;
}

function copyOf<Row>(row: Owned<Row>): Row {
  const { tenant: _, ...rest } = structuredClone(row);
  return rest as unknown as Row; // `Owned` has added the one field that is left out.
}
