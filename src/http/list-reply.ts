/**
 * Lists are written item by item: a short one at once, a long one as a stream of pieces between
 * which others get their turn. A page ends early at `listBytesMax`, and says so.
 */
import { limits } from "../foundation/limits.ts";
import { turn } from "../foundation/turn.ts";
import { Reply } from "./operation.ts";

interface PageOptions<Row, Item> {
  /** Items of the page at most. */
  readonly limit: number;
  readonly toItem: (row: Row) => Item;
}

/** A page of OpenAI's with the first rows; `has_more` when there are others. */
export function pageReply<Row, Item extends object>(
  rows: AsyncIterable<Row> | Iterable<Row>,
  { limit, toItem }: PageOptions<Row, Item>,
): Promise<Reply> {
  const ids: { first: string | null; last: string | null } = { first: null, last: null };
  let hasMore = false;
  async function* items(): AsyncGenerator<string, void, undefined> {
    let [count, characters] = [0, 0];
    for await (const row of rows) {
      const item = toItem(row);
      const text = JSON.stringify(item);
      hasMore =
        count === limit || (count > 0 && characters + text.length + 1 > limits.listBytesMax);
      if (hasMore) return;
      yield text;
      count += 1;
      characters += text.length + 1;
      ids.last = "id" in item && typeof item.id === "string" ? item.id : null;
      if (count === 1) ids.first = ids.last;
    }
  }
  return listReply({ object: "list" }, items(), () => ({
    has_more: hasMore,
    first_id: ids.first,
    last_id: ids.last,
  }));
}

/** An object of `fields`, of the items, each a JSON text, as `data`, and of `tail`. */
export async function listReply(
  fields: Readonly<Record<string, unknown>>,
  items: AsyncIterable<string> | Iterable<string>,
  tail: () => Readonly<Record<string, unknown>>,
): Promise<Reply> {
  const pieces = listPieces(fields, items, tail);
  const first = await pieces.next();
  const text = first.done === true ? "" : first.value;
  const second = await pieces.next();
  if (second.done === true) return new Reply(200, "application/json", text);
  return new Reply(200, "application/json", encoded([text, second.value], pieces));
}

// The three parts of one text.
async function* listPieces(
  fields: Readonly<Record<string, unknown>>,
  items: AsyncIterable<string> | Iterable<string>,
  tail: () => Readonly<Record<string, unknown>>,
): AsyncGenerator<string, void, undefined> {
  let piece = `${JSON.stringify(fields).slice(0, -1)},"data":[`;
  let separator = "";
  for await (const item of items) {
    piece += separator + item;
    separator = ",";
    if (piece.length < limits.answerPieceCharactersMax) continue;
    yield piece;
    piece = "";
    await turn();
  }
  yield `${piece}],${JSON.stringify(tail()).slice(1)}`;
}

async function* encoded(
  first: readonly string[],
  rest: AsyncIterable<string>,
): AsyncGenerator<Uint8Array, void, undefined> {
  for (const piece of first) yield Buffer.from(piece);
  for await (const piece of rest) yield Buffer.from(piece);
}
