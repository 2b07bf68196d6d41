/** One tenant's rows of a table. They are copied in and out: what is stored changes here alone. */
import type { Tenant } from "../../entities/caller.ts";
import { isListed, pageStartMissing, rowMissing, rowTaken } from "../checks.ts";
import type { Owned, PageOptions, Table, Where } from "../storage.ts";

/** The rows of all tenants by `keyOf`; a map keeps the order of insertion, that of creation. */
export type Rows<Row> = Map<string, Owned<Row>>;

export interface MemoryTableParts<Row> {
  readonly rows: Rows<Row>;
  readonly tenant: Tenant;
  /** It is called with each row that is removed. */
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
    const { after, limit, descending, where = {} } = options;
    if (after !== undefined && !this.has(after)) throw pageStartMissing(this.#name, after);
    const { rows, tenant } = this.#parts;
    // A short page out of a long table takes no copy of the table.
    const all = descending === true ? [...rows.values()].reverse() : rows.values();
    let isBefore = after !== undefined;
    const page: Row[] = [];
    for (const row of all) {
      if (page.length === limit) break;
      if (row.tenant !== tenant) continue;
      if (!isBefore && isListed(row, where)) page.push(copyOf(row));
      if (row.id === after) isBefore = false;
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
