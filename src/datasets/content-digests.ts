/**
 * Choices among contents by their digests. They go bucket by bucket at a pace, since one sort of a
 * large file's digests would hold the main thread.
 */
import { shortDigestCount } from "../foundation/digest.ts";
import type { Pace } from "../foundation/pace.ts";

export interface Digested {
  readonly digests: Float64Array;
  readonly ids: readonly Int32Array[];
}

/** Parts of the range of digests, which fall into each alike; a few digests need few of them. */
function bucketCountFor(digestCount: number): number {
  return Math.min(Math.max(digestCount, 1), 2 ** 14);
}

function bucketOf(digest: number, bucketCount: number): number {
  return Math.floor((digest / shortDigestCount) * bucketCount);
}

/**
 * Indices of the lowest digests within the limits, at least one: a choice by chance that stays the
 * same, and grows with the file. They are not sorted.
 */
export async function lowestOf(
  { digests, ids }: Digested,
  limit: { readonly countMax: number; readonly tokensMax: number },
  pace: Pace,
): Promise<readonly number[]> {
  const bucketCount = bucketCountFor(digests.length);
  const counts = new Float64Array(bucketCount);
  const tokens = new Float64Array(bucketCount);
  await pace.each(digests.length, (index) => {
    const bucket = bucketOf(digests[index] ?? 0, bucketCount);
    counts[bucket] = (counts[bucket] ?? 0) + 1;
    tokens[bucket] = (tokens[bucket] ?? 0) + (ids[index]?.length ?? 0);
  });
  let [count, tokenCount, whole] = [0, 0, 0];
  for (; whole < bucketCount; whole++) {
    const [more, moreTokens] = [counts[whole] ?? 0, tokens[whole] ?? 0];
    if (count + more > limit.countMax || tokenCount + moreTokens > limit.tokensMax) break;
    count += more;
    tokenCount += moreTokens;
  }
  const chosen: number[] = [];
  const last: number[] = [];
  await pace.each(digests.length, (index) => {
    const bucket = bucketOf(digests[index] ?? 0, bucketCount);
    if (bucket < whole) chosen.push(index);
    else if (bucket === whole) last.push(index);
  });
  for (const index of last.toSorted((a, b) => (digests[a] ?? 0) - (digests[b] ?? 0))) {
    tokenCount += ids[index]?.length ?? 0;
    const isFull = chosen.length >= limit.countMax || tokenCount > limit.tokensMax;
    if (isFull && chosen.length > 0) break;
    chosen.push(index);
  }
  return chosen;
}

/** Distinct digests, ascending. */
export async function distinctDigests(digests: Float64Array, pace: Pace): Promise<Float64Array> {
  const bucketCount = bucketCountFor(digests.length);
  const ends = new Uint32Array(bucketCount);
  await pace.each(digests.length, (index) => {
    const bucket = bucketOf(digests[index] ?? 0, bucketCount);
    ends[bucket] = (ends[bucket] ?? 0) + 1;
  });
  for (let bucket = 1; bucket < bucketCount; bucket++)
    ends[bucket] = (ends[bucket] ?? 0) + (ends[bucket - 1] ?? 0);
  const places = new Uint32Array(bucketCount);
  places.set(ends.subarray(0, -1), 1);
  const starts = places.slice();
  const sorted = new Float64Array(digests.length);
  await pace.each(digests.length, (index) => {
    const digest = digests[index] ?? 0;
    const bucket = bucketOf(digest, bucketCount);
    const place = places[bucket] ?? 0;
    sorted[place] = digest;
    places[bucket] = place + 1;
  });
  await pace.each(bucketCount, (bucket) => {
    sorted.subarray(starts[bucket], ends[bucket]).sort();
  });
  let distinctCount = 0;
  await pace.each(sorted.length, (index) => {
    const digest = sorted[index] ?? 0;
    if (distinctCount > 0 && sorted[distinctCount - 1] === digest) return;
    sorted[distinctCount] = digest;
    distinctCount += 1;
  });
  return sorted.slice(0, distinctCount);
}
