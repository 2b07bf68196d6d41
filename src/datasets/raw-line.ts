/** What the formats' readers hand to the check of the examples. */

/** Text and label as the file has them, not yet checked; or why there are none. */
export type RawExample =
  | { readonly text: unknown; readonly label: unknown }
  | { readonly fault: string };

export type RawLine = RawExample & { readonly line: number };

/** What readers give between lines about every `pauseBytes` of input: a place to pause. */
export const pause = Symbol("pause");
export const pauseBytes = 256 * 1024;
