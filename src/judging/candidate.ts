/**
 * A new version as it is judged: its answers to what it was not trained on, its own held-out texts
 * and those that the served version remembers.
 */
import { present } from "../foundation/assert.ts";
import type { Pace } from "../foundation/pace.ts";
import type { ContentSequences } from "../learning/sequences.ts";
import type { Answer, TaskKind } from "../tasks/tasks.ts";
import { type Evidence, hasSeen, type HeldOutRow, heldOutRows, rememberedOf } from "./evidence.ts";
import type { Served } from "./served.ts";

/** What the new version holds out, with its answers, whether it will be remembered or not. */
export interface Candidate {
  /** The labels that it was trained on. */
  readonly taught: ReadonlySet<string>;
  readonly evidence: Evidence;
  /** Its held-out texts, and those that only the served version remembers. */
  readonly byDigest: ReadonlyMap<number, Pick<HeldOutRow, "expected" | "answer">>;
}

/** Texts that only the served version remembers, and that the new one was not trained on. */
export function othersOf(
  served: Served | undefined,
  fresh: { readonly seen: Float64Array; readonly held: ReadonlySet<number> },
): readonly HeldOutRow[] {
  const rows = served?.evidence?.rows ?? [];
  return rows.filter(({ digest }) => !fresh.held.has(digest) && !hasSeen(fresh, digest));
}

/** What a fit has answered to what it was not trained on. */
export interface HeldOutAnswers {
  readonly kind: TaskKind;
  readonly labels: readonly string[];
  /** Distinct digests of the contents that it was trained on, ascending. */
  readonly seen: Float64Array;
  /** The labels of those contents. */
  readonly taught: ReadonlySet<string>;
  readonly dev: ContentSequences;
  readonly devAnswers: readonly Answer[];
  /** The rows of `othersOf`. */
  readonly others: readonly HeldOutRow[];
  readonly otherAnswers: readonly Answer[];
}

/** The new version as it is judged beside this one. */
export async function candidateOf(
  given: HeldOutAnswers,
  served: Served,
  pace: Pace,
): Promise<Candidate> {
  const { kind, labels, seen, taught, dev, others, otherAnswers } = given;
  const answered = others.map((row, index) => ({
    ...row,
    answer: kind.spelled(present(otherAnswers[index], "an answer to each of the others"), labels),
  }));
  // What one of the two remembers: of the rest nobody asks.
  const known = new Set(served.evidence?.rows.map(({ digest }) => digest));
  const remembered = await rememberedOf(dev, pace);
  const wanted = new Set(remembered);
  await pace.each(dev.digests.length, (index) => {
    if (known.has(dev.digests[index] ?? -1)) wanted.add(index);
  });
  const asked = { kind, labels, answers: given.devAnswers, indices: [...wanted] };
  const held = heldOutRows(dev, asked);
  const byDigest = new Map([...held, ...answered].map((row) => [row.digest, row]));
  // The remembered ones were added first, in their order.
  return { taught, evidence: { seen, rows: held.slice(0, remembered.length) }, byDigest };
}
