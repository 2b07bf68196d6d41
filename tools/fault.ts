/** What is wrong with a file, for people and editors to find. */

export interface Fault {
  readonly path: string;
  /** It is counted from 1; 0 when the fault is the file's or the folder's as a whole. */
  readonly line: number;
  readonly message: string;
}
