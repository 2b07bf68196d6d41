/** What has been opened one after the other is closed in reverse, whether all of it was or not. */
export class CloseStack {
  #closers: (() => Promise<void>)[] = [];
  #closed: Promise<void> | undefined;

  /** Belongs right after something was opened; that may stand on what was opened before. */
  add(close: () => Promise<void>): void {
    this.#closers.push(close);
  }

  /**
   * Each part gets its turn, whatever the others do; then the first error is thrown. A second call
   * waits for the first.
   */
  close(): Promise<void> {
    return (this.#closed ??= this.#closeAll());
  }

  async #closeAll(): Promise<void> {
    const errors: unknown[] = [];
    for (const close of this.#closers.toReversed())
      await close().catch((error: unknown) => errors.push(error));
    this.#closers = [];
    if (errors.length > 0) throw errors[0];
  }
}
