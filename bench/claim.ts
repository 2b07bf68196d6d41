/** What a benchmark of one claim is given, and what it returns. */
export interface BenchOptions {
  /** Whether to stay below a minute. */
  readonly isQuick: boolean;
  /** The folder of the base models. */
  readonly cacheFolder: string;
}

/** Ratios within one run, their targets, and what a reader needs to judge them. */
export type BenchResult = Readonly<Record<string, unknown>>;
