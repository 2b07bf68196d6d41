/** Rows of the catalog, read a few at a time. */
import type { Clock } from "../foundation/clock.ts";
import { StrataError } from "../foundation/errors.ts";
import { limits } from "../foundation/limits.ts";
import { turn } from "../foundation/turn.ts";
import type { PageOptions } from "../storage/storage.ts";

/** Which rows, and in which order. */
interface Wanted<Where> {
  readonly after?: string | undefined;
  readonly descending?: boolean;
  readonly where?: Where;
}

/** What can be read page by page, and by what its rows are chosen. */
interface Listed<Row, Where> {
  list(options: PageOptions & { readonly where?: Where }): Promise<readonly Row[]>;
}

/** Rows in the first reading; how many the next ones have follows from the time that it took. */
const firstCount = 16;
const countMax = 1_000;

/**
 * All rows that are wanted, in order. The catalog reads in this thread, and rows may be long: as
 * many are read at once as take `listReadMsMax`, and then others have their turn. That a row has
 * gone since it was read is no error.
 */
export async function* rowsOf<Row extends { readonly id: string }, Where>(
  table: Listed<Row, Where>,
  clock: Clock,
  { after, descending = false, where }: Wanted<Where>,
): AsyncGenerator<Row, void, undefined> {
  const trail: (string | undefined)[] = [after];
  for (let count = firstCount; ;) {
    const startMs = clock.monotonic();
    const rows = await rowsAfter(table, trail, {
      limit: count,
      descending,
      ...(where !== undefined && { where }),
    });
    const elapsedMs = clock.monotonic() - startMs;
    trail.push(...rows.map(({ id }) => id));
    yield* rows;
    if (rows.length < count) return;
    const share = Math.min(4, limits.listReadMsMax / Math.max(elapsedMs, 0.1));
    count = Math.max(1, Math.min(countMax, Math.floor(count * share)));
    await turn();
  }
}

/** Those after the last id of the trail that is still there; the trail is cut to it. */
async function rowsAfter<Row extends { readonly id: string }, Where>(
  table: Listed<Row, Where>,
  trail: (string | undefined)[],
  options: Omit<PageOptions, "after"> & { readonly where?: Where },
): Promise<readonly Row[]> {
  for (;;) {
    const after = trail.at(-1);
    try {
      return await table.list({ ...options, ...(after !== undefined && { after }) });
    } catch (error) {
      const isGone = error instanceof StrataError && error.field === "after" && trail.length > 1;
      if (!isGone) throw error;
      trail.pop();
    }
  }
}

export function unixSeconds(milliseconds: number): number {
  return Math.floor(milliseconds / 1000);
}
