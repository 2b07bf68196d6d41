/** Answers of models: each must be that of the same version alone. */
import type { TaskName } from "../../src/foundation/kind-names.ts";
import type { VersionLife } from "./ledger-entries.ts";
import { type Answer, bodyOf, isForgotten, type Judgement, type Operation } from "./operation.ts";
import { baseName } from "./tiny-base.ts";

/** Sums in batches of another shape may be rounded otherwise. */
const tolerance = 1e-5;

export interface Question {
  readonly name: string;
  /** Undefined asks the version that is served. */
  readonly version: number | undefined;
  readonly texts: readonly string[];
}

interface Classification {
  readonly scores: readonly { readonly label: string; readonly score: number }[];
}

export function classify(question: Question): Operation {
  const { name, version, texts } = question;
  const model = version === undefined ? name : `${name}@${version}`;
  return {
    what: `classify ${model} ${texts.join(", ")}`,
    wire: { method: "POST", path: "/v1/classify", json: { model, input: texts } },
    may: () => false,
    fault: async (answer, judgement) => {
      if (answer.status !== 200)
        return refusal({ ...question, task: "text-classification" }, answer, judgement);
      const body = bodyOf<{ readonly version: number; readonly data: Classification[] }>(answer);
      const candidates = versionsOf(question, judgement).filter(
        ({ number }) => number === body.version,
      );
      if (candidates.length === 0) return `version ${body.version} was not to answer`;
      for (const candidate of candidates)
        if (await areScores(body.data, { candidate, texts, judgement })) return undefined;
      return `version ${body.version} answers otherwise when it is alone`;
    },
  };
}

interface Entities {
  readonly entities: readonly {
    readonly entity_group: string;
    readonly score: number;
    readonly start: number;
    readonly end: number;
    readonly word: string;
  }[];
}

export function classifyTokens(question: Question): Operation {
  const { name, version, texts } = question;
  const model = version === undefined ? name : `${name}@${version}`;
  return {
    what: `classify tokens ${model} ${texts.join(", ")}`,
    wire: { method: "POST", path: "/v1/classify-tokens", json: { model, input: texts } },
    may: () => false,
    fault: async (answer, judgement) => {
      if (answer.status !== 200)
        return refusal({ ...question, task: "token-classification" }, answer, judgement);
      const body = bodyOf<{ readonly version: number; readonly data: Entities[] }>(answer);
      const candidates = versionsOf(question, judgement).filter(
        ({ number }) => number === body.version,
      );
      if (candidates.length === 0) return `version ${body.version} was not to answer`;
      for (const candidate of candidates)
        if (await areEntities(body.data, { candidate, texts, judgement })) return undefined;
      return `version ${body.version} finds other entities when it is alone`;
    },
  };
}

export function embed(question: Question): Operation {
  const { name, version, texts } = question;
  const model = version === undefined ? name : `${name}@${version}`;
  return {
    what: `embed ${model} ${texts.join(", ")}`,
    wire: { method: "POST", path: "/v1/embeddings", json: { model, input: texts } },
    may: () => false,
    fault: async (answer, judgement) => {
      if (answer.status !== 200)
        return refusal({ ...question, task: undefined }, answer, judgement);
      const { data } = bodyOf<{ readonly data: { readonly embedding: number[] }[] }>(answer);
      const candidates = name === baseName ? [undefined] : versionsOf(question, judgement);
      for (const candidate of candidates) {
        const answers = await Promise.all(
          texts.map((text) => judgement.references.answer(candidate, text)),
        );
        const isRight = answers.every(({ embedding }, index) =>
          areAlike(embedding, data[index]?.embedding ?? []),
        );
        if (isRight) return undefined;
      }
      return `none of its ${candidates.length} versions gives these vectors when it is alone`;
    },
  };
}

/** The versions that may answer the question. */
function versionsOf({ name, version }: Question, judgement: Judgement): readonly VersionLife[] {
  const { from, step } = judgement;
  return judgement.ledger.statesOf(name, from).flatMap((state) => {
    if (state !== undefined && isForgotten(state, judgement)) return [];
    const found = state?.life.versions.get(version ?? state.served ?? 0);
    const isPossible =
      version === undefined || found?.presence.possible(from, step).includes(true) === true;
    return found !== undefined && isPossible && !isForgotten(found, judgement) ? [found] : [];
  });
}

function refusal(
  { name, version, task }: Question & { readonly task: TaskName | undefined },
  { status, message }: Answer,
  { ledger, from, step }: Judgement,
): string | undefined {
  if (name === baseName) return `the base does not answer: ${message}`;
  const states = ledger.statesOf(name, from);
  const isRight = states.some((state) => {
    if (state === undefined) return status === 404;
    if (status === 400) return task !== undefined && state.task !== task;
    if (version === undefined) return status === 409 && state.served === undefined;
    const possible = state.life.versions.get(version)?.presence.possible(from, step) ?? [false];
    return status === 404 && possible.includes(false);
  });
  return isRight ? undefined : `it is not so: ${status} ${message}`;
}

interface Asked {
  readonly candidate: VersionLife;
  readonly texts: readonly string[];
  readonly judgement: Judgement;
}

async function areEntities(data: readonly Entities[], asked: Asked): Promise<boolean> {
  const { candidate, texts, judgement } = asked;
  if (candidate.task !== "token-classification") return false;
  for (const [index, text] of texts.entries()) {
    const expected = await judgement.references.entities(candidate, text);
    const found = data[index]?.entities ?? [];
    const keysOf = (entities: readonly object[]): string => JSON.stringify(entities);
    const isAlike =
      keysOf(expected.map(({ label, start, end, word }) => [label, start, end, word])) ===
        keysOf(found.map((one) => [one.entity_group, one.start, one.end, one.word])) &&
      areAlike(
        expected.map(({ score }) => score),
        found.map(({ score }) => score),
      );
    if (!isAlike) return false;
  }
  return data.length === texts.length;
}

async function areScores(data: readonly Classification[], given: Asked): Promise<boolean> {
  const { candidate, texts, judgement } = given;
  if (candidate.task !== "text-classification") return false;
  for (const [index, text] of texts.entries()) {
    const { probabilities } = await judgement.references.answer(candidate, text);
    const scores = new Map(data[index]?.scores.map(({ label, score }) => [label, score]));
    const found = candidate.labels.map((label) => scores.get(label) ?? NaN);
    if (scores.size !== candidate.labels.length || !areAlike(probabilities, found)) return false;
  }
  return data.length === texts.length;
}

function areAlike(expected: ArrayLike<number>, found: readonly number[]): boolean {
  return (
    expected.length === found.length &&
    found.every((value, index) => Math.abs(value - (expected[index] ?? NaN)) <= tolerance)
  );
}
