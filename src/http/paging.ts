/** Rows of the catalog as a page of OpenAI's. */
import type { PageOptions, Table } from "../storage/storage.ts";

interface Page<Item> {
  object: "list";
  data: Item[];
  has_more: boolean;
  first_id: string | null;
  last_id: string | null;
}

/** `rows` holds one row more than `limit` when there are more. */
export function pageOf<Row, Item>(
  rows: readonly Row[],
  limit: number,
  toItem: (row: Row) => Item & { readonly id?: string },
): Page<Item> {
  const data = rows.slice(0, limit).map(toItem);
  return {
    object: "list",
    data,
    has_more: rows.length > limit,
    first_id: data[0]?.id ?? null,
    last_id: data.at(-1)?.id ?? null,
  };
}

/** As many rows as `options` ask for of those that `isWanted` takes, read page by page. */
export async function filteredRows<Row extends { readonly id: string }>(
  table: Table<Row>,
  options: PageOptions,
  isWanted: (row: Row) => boolean,
): Promise<readonly Row[]> {
  const { limit } = options;
  const rows: Row[] = [];
  for (let { after } = options; ;) {
    const page = await table.list({ ...options, ...(after !== undefined && { after }) });
    rows.push(...page.filter(isWanted));
    after = page.at(-1)?.id;
    if (page.length < limit || rows.length >= limit) return rows.slice(0, limit);
  }
}

export function unixSeconds(milliseconds: number): number {
  return Math.floor(milliseconds / 1000);
}
