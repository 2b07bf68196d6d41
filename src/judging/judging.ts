/**
 * A new version beside the served one: whether it takes its place, and why. Compared are the
 * held-out texts that both remember, less what either was trained on: the new data alone would not
 * show what the served version knows and the new one has lost, nor would a file of wrong labels
 * look wrong by itself.
 */
import type { VirtualModel } from "../entities/virtual-model.ts";
import { present } from "../foundation/assert.ts";
import type { TrainingBase } from "../learning/training-base.ts";
import { taskKinds } from "../tasks/task-kinds.ts";
import type { Answer, Judged, TaskKind } from "../tasks/tasks.ts";
import type { Candidate } from "./candidate.ts";
import { hasSeen, type HeldOutRow, sourceOf } from "./evidence.ts";
import { comparedFigures, type Figures } from "./figures.ts";
import { type Reading, type Served, servedOf, spelledAnswers, weightsOf } from "./served.ts";
import { compare, type ComparedRow, findingOf, isToBeServed, verdictOf } from "./verdict.ts";

export interface Judgement {
  readonly isServed: boolean;
  /** Why it is served or not, in a sentence. */
  readonly verdict: string;
  /** What the comparison has found, by name. */
  readonly figures: Figures;
  /** What of the served version cannot be read: a new one must be able to replace it. */
  readonly damages: readonly string[];
}

/** Judges the candidate beside the version that the model serves now, which it must have. */
export async function judgementOf(
  parts: Reading & { readonly base: TrainingBase; readonly model: VirtualModel },
  candidate: Candidate,
): Promise<Judgement> {
  const damages: string[] = [];
  const read = await servedOf(parts, parts.model, damages);
  const served = present(read, "a model that was served stays so");
  const comparison = compare(await comparedRows({ ...parts, served, damages }, candidate));
  const { number, task } = served.version;
  const words = taskKinds[task].score;
  return {
    isServed: isToBeServed(findingOf(comparison)),
    verdict:
      damages[0] === undefined
        ? verdictOf(comparison, { served: number, words })
        : `Served: version ${number} cannot be compared with: ${damages[0]}`,
    figures: comparedFigures(words, comparison),
    damages,
  };
}

interface Comparing extends Reading {
  readonly base: TrainingBase;
  readonly served: Served;
  readonly damages: string[];
}

/** Both versions' answers to what neither was trained on. */
async function comparedRows(
  { base, served, damages, ...reading }: Comparing,
  candidate: Candidate,
): Promise<readonly ComparedRow[]> {
  const { version, evidence } = served;
  if (evidence === undefined) return [];
  const remembered = new Map(evidence.rows.map((row) => [row.digest, row]));
  const rows = new Map(remembered);
  for (const row of candidate.evidence.rows) if (!rows.has(row.digest)) rows.set(row.digest, row);
  const compared = [...rows.values()].filter(
    ({ digest }) => candidate.byDigest.has(digest) && !hasSeen(evidence, digest),
  );
  // What it remembers are answers of forms that were not chosen by them; what was derived from it
  // has weights, and so answers, of its own.
  const isAsked = ({ digest }: HeldOutRow): boolean =>
    version.kind === "derived" || !remembered.has(digest);
  const asked = compared.filter(isAsked);
  const weights = await weightsOf(reading, { version, base }, damages);
  if (weights === undefined) return [];
  const answers = await spelledAnswers(base, { version, weights }, sourceOf(asked));
  const answerOf = new Map(asked.map(({ digest }, index) => [digest, answers[index]]));
  const knownLabels = new Set(version.labels);
  const words = new Spelling(taskKinds[version.task]);
  return compared.map(({ digest }) => {
    const own = present(candidate.byDigest.get(digest), "an answer to what is compared");
    const known = remembered.get(digest);
    const labels = words.labelsIn(own.expected);
    const servedAnswer = answerOf.get(digest) ?? present(known, "it is asked or known").answer;
    return {
      isDisputed: known !== undefined && known.expected !== own.expected,
      isUntaught: labels.some((label) => !candidate.taught.has(label)),
      isFamiliar: labels.every((label) => knownLabels.has(label)),
      served: words.judged(own.expected, servedAnswer),
      newer: words.judged(own.expected, own.answer),
    };
  });
}

/** Spelled answers: versions may number labels differently, so that words are compared. */
class Spelling {
  readonly #kind: TaskKind;
  readonly #labels: string[] = [];
  readonly #numbers = new Map<string, number>();

  constructor(kind: TaskKind) {
    this.#kind = kind;
  }

  judged(expected: string, given: string): Judged {
    return this.#kind.judged(this.#parsed(expected), this.#parsed(given));
  }

  labelsIn(spelled: string): readonly string[] {
    const numbers = this.#kind.labelsIn(this.#parsed(spelled));
    return numbers.map((number) => present(this.#labels[number], "a label was numbered"));
  }

  #parsed(spelled: string): Answer {
    return this.#kind.parsed(spelled, (label) => {
      const known = this.#numbers.get(label);
      if (known !== undefined) return known;
      this.#numbers.set(label, this.#labels.length);
      return this.#labels.push(label) - 1;
    });
  }
}
