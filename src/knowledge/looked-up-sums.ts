/** Looks up, for token ids, the sums of slots that a hierarchical base's graphs take. */
import { gatherStates } from "./gather.ts";
import type { HitCounts, Knowledge, MissRule, NgramEncoder, TokenBatch } from "./knowledge.ts";
import { computedRows } from "./table-rows.ts";
import { present } from "../foundation/assert.ts";

export interface LookedUpSums {
  /** `[positions, hidden]`; zeros outside the sequences. */
  readonly sums: Float32Array<ArrayBuffer>;
  readonly hits: HitCounts;
}

/** What the knowledge lacks is backed off, or computed by `encoder` if there is one. */
export async function lookedUpSums(
  knowledge: Knowledge,
  batch: TokenBatch,
  encoder?: NgramEncoder,
): Promise<LookedUpSums> {
  const missRule: MissRule = encoder === undefined ? "backoff" : "compute";
  const lookup = knowledge.lookUp(batch, missRule);
  const shape = present(knowledge.rows[0], "Knowledge has a general table");
  const sums = new Float32Array(batch.ids.length * shape.hiddenSize);
  const tables = [...knowledge.rows];
  if (encoder !== undefined && lookup.misses.length > 0)
    tables.push(computedRows(shape, await encoder(lookup.misses)));
  gatherStates(tables, lookup, sums);
  return { sums, hits: lookup.hits };
}
