/**
 * Turns of the thread. They come from Node's event loop; a simulator that owns its process takes
 * them over, and with them the order in which all who wait go on. A process has one thread for all
 * of this, so that it is no parameter of each who pauses.
 */
export interface Thread {
  /** Calls back once, after everybody who is due has had a turn. */
  soon(callback: () => void): void;
  /** Milliseconds since an arbitrary start, by which slices of work are measured. */
  nowMs(): number;
}

const eventLoop: Thread = {
  soon: (callback) => void setImmediate(callback),
  nowMs: () => performance.now(),
};

let thread = eventLoop;

/** Takes the turns over, or gives them back to the event loop. */
export function takeThread(other: Thread = eventLoop): void {
  thread = other;
}

/** Calls back once, after everybody who is due has had a turn. */
export function soon(callback: () => void): void {
  thread.soon(callback);
}

/** Lets everyone else who is due have a turn of the thread before the caller goes on. */
export function turn(): Promise<void> {
  return new Promise(soon);
}

export function threadNowMs(): number {
  return thread.nowMs();
}
