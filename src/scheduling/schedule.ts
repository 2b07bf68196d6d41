/**
 * Which waiting sequences run next: pure decisions over a snapshot of the queue. Order between
 * models is start-time fair queueing (Goyal et al. 1996), so that a bulk request of one model does
 * not hold up the others; within a batch, sequences of like length keep padding small.
 */

/** A sequence that waits for a batch. */
export interface Waiting {
  readonly tokenCount: number;
  /** Virtual start time, see `startTag`; the sequence with the lowest runs next. */
  readonly tag: number;
}

export interface BatchLimits {
  /** Padded tokens of a batch: sequences times the longest one's tokens. */
  readonly tokensMax: number;
  readonly sequencesMax: number;
}

/**
 * A batch is chosen of the first in line: of as many as would fill this number of batches. More
 * would find lengths that are more alike, and keep the rare lengths waiting behind who came later.
 */
const windowBatches = 16;
/** Bounds of their number. */
const [windowCountMin, windowCountMax] = [32, 256];

/**
 * Virtual start time of a sequence that arrives now: it starts where its model's last one ended,
 * but not before those that run now. Adding the sequence's tokens gives the model's next value.
 */
export function startTag(virtualTime: number, modelFinish: number | undefined): number {
  return Math.max(virtualTime, modelFinish ?? 0);
}

/**
 * Virtual time when a batch has been taken: it passes as the work of one model's fair share, as in
 * weighted fair queueing (Demers et al. 1989). Were it only the tag of the first in line, models
 * that come anew all the time would keep one that is busy waiting for ever.
 */
export function virtualTimeAfter(
  virtualTime: number,
  batch: readonly Waiting[],
  modelCount: number,
): number {
  const tokenCount = batch.reduce((sum, sequence) => sum + sequence.tokenCount, 0);
  return Math.max(batch[0]?.tag ?? 0, virtualTime + tokenCount / Math.max(1, modelCount));
}

/**
 * The next batch out of `waiting`, ascending by tag: it always holds the first in line, and then
 * those of the next in line whose lengths are nearest to it, as many as the limits allow.
 */
export function schedule<W extends Waiting>(
  waiting: readonly W[],
  { tokensMax, sequencesMax }: BatchLimits,
): readonly W[] {
  const [head] = waiting;
  if (head === undefined) return [];
  const distance = (sequence: W): number => Math.abs(sequence.tokenCount - head.tokenCount);
  const candidates = waiting
    .slice(1, windowCount(head, tokensMax))
    .toSorted((a, b) => distance(a) - distance(b) || a.tag - b.tag);
  const batch = [head];
  let longest = head.tokenCount;
  for (const candidate of candidates) {
    const padded = Math.max(longest, candidate.tokenCount);
    if (batch.length === sequencesMax) break;
    if (padded * (batch.length + 1) > tokensMax) continue;
    longest = padded;
    batch.push(candidate);
  }
  return batch;
}

function windowCount({ tokenCount }: Waiting, tokensMax: number): number {
  const count = windowBatches * Math.floor(tokensMax / Math.max(1, tokenCount));
  return Math.min(Math.max(count, windowCountMin), windowCountMax);
}
