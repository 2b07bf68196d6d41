/** Whole tables, of which memory holds a page at a time: all rows together may be gigabytes. */
import { limits } from "../foundation/limits.ts";
import { Pace } from "../foundation/pace.ts";
import type { Incarnation, Version } from "../entities/virtual-model.ts";
import type { Table, VersionTable } from "./storage.ts";

/** Every row, in order of creation. The last row of a page must not be deleted meanwhile. */
export async function* allRows<Row extends { readonly id: string }>(
  table: Pick<Table<Row>, "list">,
): AsyncGenerator<Row, void, undefined> {
  const pace = new Pace();
  for (let after: string | undefined; ;) {
    const limit = limits.catalogPageRowCountMax;
    const page = await table.list({ limit, ...(after === undefined ? {} : { after }) });
    yield* page;
    after = page.at(-1)?.id;
    if (after === undefined) return;
    if (pace.isDue) await pace.rest();
  }
}

/** All versions of a model, by number. */
export async function allVersions(
  table: Pick<VersionTable, "list">,
  model: Incarnation,
): Promise<readonly Version[]> {
  const limit = limits.catalogPageRowCountMax;
  const all: Version[] = [];
  for (let after = 0; ;) {
    const page = await table.list(model, { after, limit });
    all.push(...page);
    const last = page.at(-1);
    if (last === undefined) return all;
    after = last.number;
  }
}
