/** `Flow`: whose turn it is. The decisions of serving know nothing else of who asks. */
export interface Flow {
  /** Sequences of one flow share its turns. */
  readonly id: string;
  /** Its share of the workers is this over the weights of all flows that wait; above 0. */
  readonly weight: number;
  /**
   * How much later, in milliseconds, an answer may come than the flow's own share of the workers
   * would give it. What a request takes itself does not count: an idle machine serves any.
   */
  readonly deadlineMs: number;
}
