/** Labelled texts for training: reading, checking, splitting. */

export interface Example {
  readonly text: string;
  readonly label: string;
}

/** A line that could not be used, and why. */
export interface LineFault {
  /** Counted from 1, as an editor shows it. */
  readonly line: number;
  readonly reason: string;
}

export interface Dataset {
  readonly examples: readonly Example[];
  /** Distinct labels in code-point order. */
  readonly labels: readonly string[];
  /** At most `limits.reportedLineErrorCountMax`; `faultCount` counts all. */
  readonly faults: readonly LineFault[];
  readonly faultCount: number;
}
