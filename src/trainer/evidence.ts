/**
 * What a version has seen and what was held out from it: digests of the contents that it was
 * trained on, and held-out texts with what it answered. So a later version can be judged beside it
 * on texts that neither was trained on, when the file is gone, too.
 */
import { present } from "../foundation/assert.ts";
import { shortDigestCount } from "../foundation/digest.ts";
import { StrataError, wrapError } from "../foundation/errors.ts";
import { limits } from "../foundation/limits.ts";
import type { Pace } from "../foundation/pace.ts";

export interface Evidence {
  /** Contents trained on: distinct digests, ascending; see `contents.ts`. */
  readonly seen: Float64Array;
  /** Held-out contents with the lowest digests, ascending. */
  readonly rows: readonly HeldOutRow[];
}

export interface HeldOutRow {
  readonly digest: number;
  readonly ids: Int32Array;
  /** The first token of each word, where the task has words. */
  readonly firsts?: Int32Array | undefined;
  /** What it is right to answer, spelled as the task does it. */
  readonly expected: string;
  /** What a form of the version answered that was not chosen for its answer to this text. */
  readonly answer: string;
}

/** Held-out contents that are remembered, of those in `dev`: indices, by ascending digest. */
export async function rememberedOf(dev: Digested, pace: Pace): Promise<readonly number[]> {
  const { evidenceRowCountMax: countMax, evidenceTokenCountMax: tokensMax } = limits;
  const chosen = await lowestOf(dev, { countMax, tokensMax }, pace);
  return chosen.toSorted((a, b) => (dev.digests[a] ?? 0) - (dev.digests[b] ?? 0));
}

export interface Digested {
  readonly digests: Float64Array;
  readonly ids: readonly Int32Array[];
}

/** Parts of the range of digests, which fall into each alike. */
const bucketCount = 2 ** 14;

function bucketOf(digest: number): number {
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
  const counts = new Float64Array(bucketCount);
  const tokens = new Float64Array(bucketCount);
  await pace.each(digests.length, (index) => {
    const bucket = bucketOf(digests[index] ?? 0);
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
    const bucket = bucketOf(digests[index] ?? 0);
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

/** Distinct digests, ascending: bucket by bucket, since a sort of all would hold the thread. */
export async function distinctDigests(digests: Float64Array, pace: Pace): Promise<Float64Array> {
  const ends = new Uint32Array(bucketCount);
  await pace.each(digests.length, (index) => {
    const bucket = bucketOf(digests[index] ?? 0);
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
    const bucket = bucketOf(digest);
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

/** Whether the version was trained on this content. */
export function hasSeen({ seen }: Pick<Evidence, "seen">, digest: number): boolean {
  let [low, high] = [0, seen.length];
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((seen[middle] ?? Infinity) < digest) low = middle + 1;
    else high = middle;
  }
  return seen[low] === digest;
}

const form = "strata-evidence-1";
const action = "Cannot read what a version has seen";

/**
 * Bytes of the header's length as a 32-bit number, the header in JSON, padded to 8 bytes, and the
 * arrays: digests as float64, then per row the expected answer, the given one and the count of ids
 * as int32, and all ids; where the header says `hasWords`, per row the count of words, and the
 * first tokens of them all.
 */
export function encodeEvidence({ seen, rows }: Evidence): Uint8Array {
  const names = [...new Set(rows.flatMap(({ expected, answer }) => [expected, answer]))].toSorted();
  const indexByName = new Map(names.map((name, index) => [name, index]));
  const indexOf = (name: string): number => present(indexByName.get(name), "a name of the rows");
  const hasWords = rows.some(({ firsts }) => firsts !== undefined);
  const counts = { seenCount: seen.length, rowCount: rows.length };
  const header = JSON.stringify({ form, names, ...counts, ...(hasWords && { hasWords }) });
  const length = Buffer.byteLength(header);
  const padding = (8 - ((4 + length) % 8)) % 8;
  const prefix = Buffer.alloc(4);
  prefix.writeUInt32LE(length + padding);
  const arrays = [
    seen,
    Float64Array.from(rows, ({ digest }) => digest),
    Int32Array.from(rows, ({ expected }) => indexOf(expected)),
    Int32Array.from(rows, ({ answer }) => indexOf(answer)),
    Int32Array.from(rows, ({ ids }) => ids.length),
    ...rows.map(({ ids }) => ids),
    ...(hasWords ? [Int32Array.from(rows, ({ firsts }) => firsts?.length ?? 0)] : []),
    ...(hasWords ? rows.map(({ firsts }) => firsts ?? new Int32Array()) : []),
  ];
  const parts = arrays.map(({ buffer, byteOffset, byteLength }) =>
    Buffer.from(buffer, byteOffset, byteLength),
  );
  return Buffer.concat([prefix, Buffer.from(header + " ".repeat(padding)), ...parts]);
}

interface Header {
  readonly form: string;
  readonly names: readonly string[];
  readonly seenCount: number;
  readonly rowCount: number;
  readonly hasWords?: boolean;
}

/** CORRUPT when the bytes are none of `encodeEvidence`. */
export function decodeEvidence(bytes: Uint8Array): Evidence {
  try {
    return parseEvidence(bytes);
  } catch (error) {
    throw wrapError(error, "CORRUPT", action);
  }
}

function parseEvidence(bytes: Uint8Array): Evidence {
  // The copy is aligned, which the typed arrays need.
  const { buffer } = new Uint8Array(bytes);
  const headerLength = new DataView(buffer).getUint32(0, true);
  const json = new TextDecoder().decode(new Uint8Array(buffer, 4, headerLength));
  const header = JSON.parse(json) as Header; // checked below
  const { names, seenCount, rowCount, hasWords = false } = header;
  if (header.form !== form) throw corrupt(`expected form "${form}", got "${header.form}"`);
  let offset = 4 + headerLength;
  const floats = (count: number): Float64Array => {
    offset += 8 * count;
    return new Float64Array(buffer, offset - 8 * count, count);
  };
  const integers = (count: number): Int32Array => {
    offset += 4 * count;
    return new Int32Array(buffer, offset - 4 * count, count);
  };
  const seen = floats(seenCount);
  const digests = floats(rowCount);
  const [expected, answers, lengths] = [integers(rowCount), integers(rowCount), integers(rowCount)];
  const nameOf = (indices: Int32Array, row: number): string => {
    const name = names[indices[row] ?? -1];
    if (name === undefined) throw corrupt(`row ${row} has a name that its header lacks`);
    return name;
  };
  const ids = Array.from(lengths, integers);
  const firsts = hasWords ? Array.from(integers(rowCount), integers) : [];
  const rows = Array.from(digests, (digest, row) => ({
    digest,
    ids: present(ids[row], "ids of each row"),
    ...(hasWords && { firsts: present(firsts[row], "words of each row") }),
    expected: nameOf(expected, row),
    answer: nameOf(answers, row),
  }));
  if (offset !== buffer.byteLength)
    throw corrupt(`expected ${offset} bytes, got ${buffer.byteLength}`);
  return { seen, rows };
}

function corrupt(state: string): StrataError {
  return new StrataError("CORRUPT", `${action}: ${state}`);
}
