/**
 * Divides examples into a part to train on and a part to judge by. The side of an example follows
 * from its content alone: neither its place in a file, nor its label, nor how often it occurs
 * moves it, so that what is held out from one training is held out from every later one.
 */
import { assert } from "../foundation/assert.ts";
import { shortDigestCount } from "../foundation/digest.ts";

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
export function splitByContent(
  contents: Contents,
  holdsOut: (digest: number) => boolean = isHeldOut,
): Split {
  const { digests, labels } = contents;
  assert(digests.length === labels.length, "each example has a content and a label");
  const held = copiesByContent(contents, holdsOut);
  for (const digest of neededInTraining(contents, held)) held.delete(digest);
  const all = Uint32Array.from(digests.keys());
  const train = all.filter((index) => !held.has(digests[index] ?? -1));
  return { train, dev: standIns(held, labels) };
}

/** One example of each content, as `dev` of a split. */
export function distinctContents(contents: Contents): Uint32Array {
  return standIns(
    copiesByContent(contents, () => true),
    contents.labels,
  );
}

function copiesByContent(
  { digests }: Contents,
  isWanted: (digest: number) => boolean,
): Map<number, number[]> {
  const copies = new Map<number, number[]>();
  for (const [index, digest] of digests.entries()) {
    if (!isWanted(digest)) continue;
    const known = copies.get(digest);
    if (known === undefined) copies.set(digest, [index]);
    else known.push(index);
  }
  return copies;
}

function standIns(
  contents: ReadonlyMap<number, readonly number[]>,
  labels: Int32Array,
): Uint32Array {
  return Uint32Array.from(contents.values(), (copies) => mostCommon(copies, labels)).sort();
}

/** Digests of held contents without which a label has nothing to train on. */
function neededInTraining(
  { digests, labels }: Contents,
  held: ReadonlyMap<number, readonly number[]>,
): ReadonlySet<number> {
  const trained = new Set<number>();
  for (const [index, label] of labels.entries())
    if (!held.has(digests[index] ?? -1)) trained.add(label);
  const highest = new Map<number, number>();
  for (const [index, label] of labels.entries())
    if (!trained.has(label))
      highest.set(label, Math.max(highest.get(label) ?? -1, digests[index] ?? -1));
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
