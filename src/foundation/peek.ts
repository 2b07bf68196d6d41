/** Reading ahead: the start of what arrives in pieces, and all of it nevertheless. */

export interface Peeked {
  /** The first bytes: at least as many as were asked for, if there are so many. */
  readonly head: Uint8Array;
  /** Everything, the head included. Whoever ends it, begun or not, ends what it reads from. */
  readonly all: AsyncIterableIterator<Uint8Array>;
}

/** Fails as the pieces do. Who takes the result owes its `all` an end or a `return`. */
export async function peek(pieces: AsyncIterable<Uint8Array>, byteCount: number): Promise<Peeked> {
  const iterator = pieces[Symbol.asyncIterator]();
  let head: Uint8Array = new Uint8Array();
  while (head.length < byteCount) {
    const next = await iterator.next();
    if (next.done === true) break;
    head = head.length === 0 ? next.value : Buffer.concat([head, next.value]);
  }
  let isHeadDue = head.length > 0;
  // A generator that nobody has begun to read from would run none of its `finally`.
  const all: AsyncIterableIterator<Uint8Array> = {
    next() {
      if (!isHeadDue) return iterator.next();
      isHeadDue = false;
      return Promise.resolve({ done: false, value: head });
    },
    async return() {
      isHeadDue = false;
      await iterator.return?.();
      return { done: true, value: undefined };
    },
    [Symbol.asyncIterator]: () => all,
  };
  return { head, all };
}
