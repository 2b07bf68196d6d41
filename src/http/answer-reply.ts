/** Answers of models as replies: an item per input, at once or piece by piece, and what it took. */
import type { Embeddings } from "../contract/inference.ts";
import { StrataError } from "../foundation/errors.ts";
import { limits } from "../foundation/limits.ts";
import type { AnswerFacts } from "../processor/processor.ts";
import { listReply } from "./list-reply.ts";
import type { Reply } from "./operation.ts";

/** Numbers and labels of an answer up to which it is written at once. */
const shortValueCount = 4_096;

/** What every answer of a model tells. */
type Answered = Pick<AnswerFacts, "isTruncated" | "tokenCount" | "timings">;

export interface Items<Item> {
  readonly answer: Pick<Answered, "isTruncated" | "tokenCount">;
  readonly item: (index: number) => Item;
  readonly valueCount: number;
}

/** An item per input after `fields`: at once, or piece by piece when they are many values. */
export function listOrReply<Fields extends Readonly<Record<string, unknown>>, Item>(
  fields: Fields,
  { answer, item, valueCount }: Items<Item>,
): Promise<Reply> | (Fields & { data: Item[]; usage: Embeddings["usage"] }) {
  const { isTruncated, tokenCount } = answer;
  const truncatedCount = isTruncated.filter(Boolean).length;
  const usage = {
    prompt_tokens: tokenCount,
    total_tokens: tokenCount,
    truncated_inputs: truncatedCount,
  };
  const indices = isTruncated.keys();
  if (valueCount <= shortValueCount) return { ...fields, data: Array.from(indices, item), usage };
  return listReply(fields, texts(indices, item), () => ({ usage }));
}

function* texts<Item>(
  indices: Iterable<number>,
  item: (index: number) => Item,
): Generator<string, void, undefined> {
  for (const index of indices) yield JSON.stringify(item(index));
}

export const answerMax = limits.answerBytesMax;

/** INVALID_ARGUMENT for an answer that no client could read whole. */
export function answerTooLong(state: string, field: string): StrataError {
  return new StrataError("INVALID_ARGUMENT", `Cannot answer: ${state}`, { field });
}

export function tellTimings(
  headers: Record<string, string>,
  { timings }: Pick<Answered, "timings">,
): void {
  headers["x-strata-tokenize-ms"] = timings.tokenizeMs.toFixed(3);
  headers["x-strata-load-ms"] = timings.loadMs.toFixed(3);
  headers["x-strata-queue-ms"] = timings.queueMs.toFixed(3);
  headers["x-strata-run-ms"] = timings.runMs.toFixed(3);
}
