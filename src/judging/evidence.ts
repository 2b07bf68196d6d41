/**
 * What a version has seen and what was held out from it: digests of the contents that it was
 * trained on, and held-out texts with what it answered. So a later version can be judged beside it
 * on texts that neither was trained on, when the file is gone, too.
 */
import { type Digested, lowestOf } from "../datasets/content-digests.ts";
import { present } from "../foundation/assert.ts";
import { StrataError, wrapError } from "../foundation/errors.ts";
import { limits } from "../foundation/limits.ts";
import type { Pace } from "../foundation/pace.ts";
import type { ContentSequences, Source } from "../learning/sequences.ts";
import type { Answer, TaskKind } from "../tasks/tasks.ts";

export interface Evidence {
  /** Contents trained on: distinct digests, ascending; see `learning/contents.ts`. */
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

/** The held-out texts at the indices, with the answers that they got. */
export function heldOutRows(
  { ids, answers: expected, digests, firsts }: ContentSequences,
  given: {
    readonly kind: TaskKind;
    readonly answers: readonly Answer[];
    readonly indices: readonly number[];
    readonly labels: readonly string[];
  },
): readonly HeldOutRow[] {
  const spelled = (answer: Answer | undefined): string =>
    given.kind.spelled(present(answer, "an answer to each text"), given.labels);
  return given.indices.map((index) => ({
    digest: present(digests[index], "one digest per text"),
    ids: present(ids[index], "an index of the texts"),
    firsts: firsts?.[index],
    expected: spelled(expected[index]),
    answer: spelled(given.answers[index]),
  }));
}

/** Held-out texts as they are asked. */
export function sourceOf(rows: readonly HeldOutRow[]): Source {
  const firsts = rows.flatMap((row) => row.firsts ?? []);
  return {
    ids: rows.map(({ ids }) => ids),
    firsts: firsts.length === rows.length ? firsts : undefined,
    states: undefined,
  };
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
