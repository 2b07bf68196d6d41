/** How one run of some work can serve many callers. */

/**
 * Runs work by key, one run per key at a time. A caller is served by a run that starts after its
 * call; all who call while a run is under way share the next one.
 */
export class SharedRuns<Key extends string = string> {
  readonly #work: (key: Key) => Promise<void>;
  readonly #running = new Map<Key, Promise<void>>();
  readonly #next = new Map<Key, Promise<void>>();

  constructor(work: (key: Key) => Promise<void>) {
    this.#work = work;
  }

  run(key: Key): Promise<void> {
    const next = this.#next.get(key);
    if (next !== undefined) return next;
    const running = this.#running.get(key);
    if (running === undefined) return this.#start(key);
    const shared = this.#startAfter(running, key);
    this.#next.set(key, shared);
    return shared;
  }

  async #startAfter(running: Promise<void>, key: Key): Promise<void> {
    await running.catch(() => {});
    this.#next.delete(key);
    return this.#start(key);
  }

  #start(key: Key): Promise<void> {
    const run = this.#work(key).finally(() => this.#running.delete(key));
    this.#running.set(key, run);
    return run;
  }
}
