/** Reading ahead: the start of what arrives in pieces, and all of it nevertheless. */

export interface Peeked {
  /** The first bytes: at least as many as were asked for, if there are so many. */
  readonly start: Uint8Array;
  /** Everything, the start included. Whoever ends it, begun or not, ends what it reads from. */
  readonly all: AsyncIterableIterator<Uint8Array>;
}

/** Fails as the pieces do. Who takes the result owes its `all` an end or a `return`. */
export async function peek(pieces: AsyncIterable<Uint8Array>, byteCount: number): Promise<Peeked> {
  const iterator = pieces[Symbol.asyncIterator]();
  let start: Uint8Array = new Uint8Array();
  while (start.length < byteCount) {
    const next = await iterator.next();
    if (next.done === true) break;
    start = start.length === 0 ? next.value : Buffer.concat([start, next.value]);
  }
  let isStartDue = start.length > 0;
  // A generator that nobody has begun to read from would run none of its `finally`.
  const all: AsyncIterableIterator<Uint8Array> = {
    next() {
      if (!isStartDue) return iterator.next();
      isStartDue = false;
      return Promise.resolve({ done: false, value: start });
    },
    async return() {
      isStartDue = false;
      await iterator.return?.();
      return { done: true, value: undefined };
    },
    [Symbol.asyncIterator]: () => all,
  };
  return { start, all };
}
