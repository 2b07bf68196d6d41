/**
 * Divides examples into a part to train on and a part to judge by. The side of an example follows
 * from its content alone: neither its place in a file, nor its label, nor how often it occurs
 * moves it, so that what is held out from one training is held out from every later one.
 */
import { assert } from "../foundation/assert.ts";
import { shortDigestCount } from "../foundation/digest.ts";
import type { Pace } from "../foundation/pace.ts";

/** Examples as digests of their contents and numbers of their labels, which begin at 0. */
export interface Contents {
  readonly digests: Float64Array;
  readonly labels: Int32Array;
}

/** Indices into the examples, ascending. */
export interface Split {
  /** All examples of the contents on this side. */
  readonly train: Uint32Array;
  /** One example of each content that is held out, with the label that most of its copies have. */
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
  const { digests, labels } = contents;
  assert(digests.length === labels.length, "each example has a content and a label");
  const held = await copiesByContent(contents, pace, holdsOut);
  for (const digest of await neededInTraining(contents, pace, held)) held.delete(digest);
  const train: number[] = [];
  await pace.each(digests.length, (index) => {
    if (!held.has(digests[index] ?? -1)) train.push(index);
  });
  return { train: Uint32Array.from(train), dev: await standIns(held, pace, labels) };
}

/** One example of each content, as `dev` of a split. */
export async function distinctContents(contents: Contents, pace: Pace): Promise<Uint32Array> {
  const copies = await copiesByContent(contents, pace, () => true);
  return standIns(copies, pace, contents.labels);
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
  labels: Int32Array,
): Promise<Uint32Array> {
  const all = contents.values();
  const chosen = new Uint32Array(contents.size);
  await pace.each(contents.size, (position) => {
    const copies: Copies = all.next().value ?? 0; // there are as many
    chosen[position] = typeof copies === "number" ? copies : mostCommon(copies, labels);
  });
  return chosen.sort();
}

/** Digests of held contents without which a label has nothing to train on. */
async function neededInTraining(
  { digests, labels }: Contents,
  pace: Pace,
  held: ReadonlyMap<number, unknown>,
): Promise<ReadonlySet<number>> {
  const trained = new Set<number>();
  await pace.each(labels.length, (index) => {
    if (!held.has(digests[index] ?? -1)) trained.add(labels[index] ?? -1);
  });
  const highest = new Map<number, number>();
  await pace.each(labels.length, (index) => {
    const label = labels[index] ?? -1;
    if (trained.has(label)) return;
    highest.set(label, Math.max(highest.get(label) ?? -1, digests[index] ?? -1));
  });
  return new Set(highest.values());
}

/** The copy that stands for all: its label is the most frequent; among equals the last one's. */
function mostCommon(copies: readonly number[], labels: Int32Array): number {
  const counts = new Map<number, number>();
  for (const index of copies) {
    const label = labels[index] ?? -1;
    counts.set(label, (counts.get(label) ?? 0) + 1);
  }
  const countOf = (index: number): number => counts.get(labels[index] ?? -1) ?? 0;
  return copies.reduce((best, index) => (countOf(index) >= countOf(best) ? index : best));
}
