/**
 * Pages of rows. A row that has rotted is left out of its page and told in the log, once. The
 * others are there, and the page is as long as if it were not in the table. Who asks for it by its
 * id gets CORRUPT, so nobody takes it for absent.
 */
import { StrataError } from "../../foundation/errors.ts";
import { Pace } from "../../foundation/pace.ts";
import type { Log } from "../../foundation/telemetry.ts";
import { fromRecord, type RecordForm } from "./records.ts";

export interface Page {
  readonly limit: number;
  /** Place in the order of its rows after which it begins. */
  readonly after: number | undefined;
  /** Whether a row of those belongs to the page. */
  readonly isWanted: (row: object) => boolean;
  /** The next records, in order, after a place. */
  next(after: number | undefined, limit: number): Promise<readonly { readonly sequence: number }[]>;
}

export class RowReader {
  readonly #log: Log;
  readonly #told = new Set<string>();

  constructor(log: Log) {
    this.#log = log;
  }

  async page<Row extends object>(form: RecordForm, page: Page): Promise<readonly Row[]> {
    const pace = new Pace();
    const rows: Row[] = [];
    for (let { after } = page; ;) {
      const wanted = page.limit - rows.length;
      const records = await page.next(after, wanted);
      for (const record of records) {
        if (pace.isDue) await pace.rest();
        rows.push(...this.sound<Row>(record, form).filter(page.isWanted));
      }
      if (records.length < wanted || rows.length >= page.limit) return rows;
      after = records.at(-1)?.sequence;
    }
  }

  /** The row; none when it has rotted. */
  sound<Row>(record: object, form: RecordForm): readonly Row[] {
    try {
      return [fromRecord<Row>(record, form)];
    } catch (error) {
      if (!(error instanceof StrataError)) throw error;
      if (!this.#told.has(error.message)) this.#log.error(error.message);
      this.#told.add(error.message);
      return [];
    }
  }
}
