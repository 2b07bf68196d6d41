/** Lets everyone else who is due have a turn of the thread before the caller goes on. */
export function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
