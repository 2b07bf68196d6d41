/**
 * Which waiting sequences run next: pure decisions over a snapshot of the queue. Order between
 * flows is weighted start-time fair queueing (Goyal et al. 1996), so that a bulk request of one
 * does not hold up the others, whatever their lanes are; the first of the queue decides the lane,
 * and within a batch sequences of like length keep padding small.
 */

/** A sequence that waits for a batch. */
export interface Waiting {
  /** Sequences of lanes that have different keys never share a batch. */
  readonly lane: { readonly key: string };
  readonly tokenCount: number;
  /** What it will take of one worker, in milliseconds. */
  readonly workMs: number;
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
 * Virtual start time of a sequence that arrives now: it starts where its flow's last one ended, but
 * not before those that run now. Adding `virtualWork` gives the flow's next value.
 */
export function startTag(virtualTime: number, flowFinish: number | undefined): number {
  return Math.max(virtualTime, flowFinish ?? 0);
}

/** What a sequence's work takes of the virtual time of a flow of this weight. */
export function virtualWork(workMs: number, weight: number): number {
  return workMs / weight;
}

/**
 * Virtual time when a batch has been taken: it passes as the work of the share of a flow of weight
 * 1, as in weighted fair queueing (Demers et al. 1989). Were it only the tag of the first in line,
 * flows that come anew all the time would keep one that is busy waiting for ever. `weightSum` is
 * that of all flows that wait, those of the batch included.
 */
export function virtualTimeAfter(
  virtualTime: number,
  batch: readonly Waiting[],
  weightSum: number,
): number {
  const [first] = batch;
  if (first === undefined) return virtualTime;
  return Math.max(first.tag, virtualTime + workOf(batch) / weightSum);
}

/** What the sequences take of one worker, in milliseconds. */
export function workOf(sequences: readonly Waiting[]): number {
  return sequences.reduce((sum, { workMs }) => sum + workMs, 0);
}

/**
 * The next batch out of `waiting`, ascending by tag. It holds the first in line that is ready, and
 * then those of the same lane, next in line and ready, whose lengths are nearest to it, as many as
 * the limits allow. Empty when none is ready.
 */
export function schedule<W extends Waiting>(
  waiting: readonly W[],
  { tokensMax, sequencesMax }: BatchLimits,
  isReady: (sequence: W) => boolean = () => true,
): readonly W[] {
  const start = waiting.findIndex(isReady);
  const first = waiting[start];
  if (first === undefined) return [];
  const distance = (sequence: W): number => Math.abs(sequence.tokenCount - first.tokenCount);
  const candidates: W[] = [];
  const count = windowCount(first, tokensMax) - 1;
  for (let place = start + 1; place < waiting.length && candidates.length < count; place++) {
    const sequence = waiting[place];
    if (sequence?.lane.key === first.lane.key && isReady(sequence)) candidates.push(sequence);
  }
  const batch = [first];
  let longest = first.tokenCount;
  for (const candidate of candidates.sort((a, b) => distance(a) - distance(b) || a.tag - b.tag)) {
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
