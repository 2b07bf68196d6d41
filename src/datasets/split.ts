/**
 * Divides examples into a part to train on and a part to judge by. The side of an example follows
 * from its content alone: neither its place in a file, nor its label, nor how often it occurs
 * moves it, so that what is held out from one training is held out from every later one.
 */
import { assert } from "../foundation/assert.ts";
import { shortDigestCount } from "../foundation/digest.ts";
import type { Pace } from "../foundation/pace.ts";

/** Examples as digests of their contents and numbers of what it is right to answer. */
export interface Contents {
  readonly digests: Float64Array;
  /** Those of equal answers are equal. */
  readonly answers: Int32Array;
  /** The labels that an example's answer holds, as numbers. */
  labelsOf(index: number): readonly number[];
}

/** Indices into the examples, ascending. */
export interface Split {
  /** All examples of the contents on this side. */
  readonly train: Uint32Array;
  /** One example of each content that is held out, with the answer that most of its copies have. */
  readonly dev: Uint32Array;
}

/** Share of the contents that is held out. */
const devShare = 0.15;

/** The side of a content, when nothing else decides it. */
function isHeldOut(digest: number): boolean {
  return digest < devShare * shortDigestCount;
}

/**
 * Copies fall on one side. Of a label whose contents would all be held out, the one with the
 * highest digest is trained on nevertheless: a label must be learned before it can be judged.
 */
export async function splitByContent(
  contents: Contents,
  pace: Pace,
  holdsOut: (digest: number) => boolean = isHeldOut,
): Promise<Split> {
  const { digests, answers } = contents;
  assert(digests.length === answers.length, "each example has a content and an answer");
  const held = await copiesByContent(contents, pace, holdsOut);
  for (const digest of await neededInTraining(contents, pace, held)) held.delete(digest);
  const train: number[] = [];
  await pace.each(digests.length, (index) => {
    if (!held.has(digests[index] ?? -1)) train.push(index);
  });
  return { train: Uint32Array.from(train), dev: await standIns(held, pace, answers) };
}

/** One example of each content, as `dev` of a split. */
export async function distinctContents(contents: Contents, pace: Pace): Promise<Uint32Array> {
  const copies = await copiesByContent(contents, pace, () => true);
  return standIns(copies, pace, contents.answers);
}

/** A content has few copies as a rule: a list is made for the second one only. */
type Copies = number | number[];

async function copiesByContent(
  { digests }: Contents,
  pace: Pace,
  isWanted: (digest: number) => boolean,
): Promise<Map<number, Copies>> {
  const copies = new Map<number, Copies>();
  await pace.each(digests.length, (index) => {
    const digest = digests[index] ?? -1;
    if (!isWanted(digest)) return;
    const known = copies.get(digest);
    if (known === undefined) copies.set(digest, index);
    else if (typeof known === "number") copies.set(digest, [known, index]);
    else known.push(index);
  });
  return copies;
}

async function standIns(
  contents: ReadonlyMap<number, Copies>,
  pace: Pace,
  answers: Int32Array,
): Promise<Uint32Array> {
  const all = contents.values();
  const chosen = new Uint32Array(contents.size);
  await pace.each(contents.size, (position) => {
    const copies: Copies = all.next().value ?? 0; // there are as many
    chosen[position] = typeof copies === "number" ? copies : mostCommon(copies, answers);
  });
  return chosen.sort();
}

/** Digests of held contents without which a label has nothing to train on. */
async function neededInTraining(
  { digests, labelsOf }: Contents,
  pace: Pace,
  held: ReadonlyMap<number, unknown>,
): Promise<ReadonlySet<number>> {
  const trained = new Set<number>();
  await pace.each(digests.length, (index) => {
    if (held.has(digests[index] ?? -1)) return;
    for (const label of labelsOf(index)) trained.add(label);
  });
  const highest = new Map<number, number>();
  await pace.each(digests.length, (index) => {
    if (!held.has(digests[index] ?? -1)) return;
    for (const label of labelsOf(index))
      if (!trained.has(label))
        highest.set(label, Math.max(highest.get(label) ?? -1, digests[index] ?? -1));
  });
  return new Set(highest.values());
}

/** The copy that stands for all: its answer is the most frequent; among equals the last one's. */
function mostCommon(copies: readonly number[], answers: Int32Array): number {
  const counts = new Map<number, number>();
  for (const index of copies) {
    const answer = answers[index] ?? -1;
    counts.set(answer, (counts.get(answer) ?? 0) + 1);
  }
  const countOf = (index: number): number => counts.get(answers[index] ?? -1) ?? 0;
  return copies.reduce((best, index) => (countOf(index) >= countOf(best) ? index : best));
}
