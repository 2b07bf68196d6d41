/** Rows of the catalog as a page of OpenAI's. */

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

export function unixSeconds(milliseconds: number): number {
  return Math.floor(milliseconds / 1000);
}
