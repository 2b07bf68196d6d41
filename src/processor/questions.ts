/** The questions: what each kind of task is asked, and what every model can be. */
import type { Encoded, EncodedWords } from "../formats/formats.ts";
import { present } from "../foundation/assert.ts";
import { Pace } from "../foundation/pace.ts";
import type { TaskKind } from "../tasks/tasks.ts";
import { textClassification } from "../tasks/text-classification.ts";
import {
  entitiesFound,
  type FoundEntity,
  tokenClassification,
  type TokenOutputs,
} from "../tasks/token-classification.ts";
import type { Example } from "../datasets/datasets.ts";
import type { TaskUnit } from "../models/task-graph.ts";
import type { LaneAnswers } from "./open-base.ts";
import { encodeInputs, encodeWords } from "./inputs.ts";
import type { ResolvedVersion } from "./model-directory.ts";
import type { AnswerFacts, OwnPart, Question, Ran } from "./processor.ts";
import type { TextAnswer } from "../lanes/text-lane.ts";

/** A vPLM for text classification says of each text how probable each label is. */
export interface LabelsAnswer extends AnswerFacts {
  readonly version: number;
  readonly labels: readonly string[];
  /** One row per text: a probability per label, which add up to 1. */
  readonly probabilities: readonly Float32Array[];
}

/** A vPLM for token classification finds the entities of each text. */
export interface EntitiesAnswer extends AnswerFacts {
  readonly version: number;
  /** Those of each text, in the order of their places; nothing is found behind a cut. */
  readonly entities: readonly (readonly FoundEntity[])[];
}

/** A base, or a vPLM's adapted layers, embed each text. */
export interface EmbeddingsAnswer extends AnswerFacts {
  /** Pooled, L2-normalised vectors `[hidden]`. */
  readonly embeddings: readonly Float32Array[];
}

/**
 * The question to models of a task: what gets scores names its lane, and whether it has words how
 * inputs are encoded. `decode` is given what that lane and that encoding give.
 */
export function questionOf<Answer extends AnswerFacts, Unit extends TaskUnit, E extends Encoded>(
  { name, graph, hasWords }: TaskKind<Example, Unit>,
  decode: (
    ran: Ran<LaneAnswers[Unit], E, ResolvedVersion>,
  ) => OwnPart<Answer> | Promise<OwnPart<Answer>>,
): Question<Answer, LaneAnswers[Unit]> {
  return {
    task: name,
    lane: ({ lanes }) => lanes[graph.unit],
    encode: hasWords ? encodeWords : encodeInputs,
    // A version has answered, with this encoding.
    decode: (ran) => decode(ran as Ran<LaneAnswers[Unit], E, ResolvedVersion>), // as just said
  };
}

export const labelsQuestion = questionOf(
  textClassification,
  ({ resolved, answers }: Ran<TextAnswer, Encoded, ResolvedVersion>): OwnPart<LabelsAnswer> => {
    const { labels, number } = resolved.version;
    return { version: number, labels, probabilities: answers.map((own) => own.probabilities) };
  },
);

export const entitiesQuestion = questionOf(
  tokenClassification,
  async (
    ran: Ran<TokenOutputs, EncodedWords, ResolvedVersion>,
  ): Promise<OwnPart<EntitiesAnswer>> => {
    const { request } = ran;
    const { labels, number } = ran.resolved.version;
    const entities: (readonly FoundEntity[])[] = [];
    await new Pace(request.signal).each(ran.answers.length, (index) => {
      const outputs = present(ran.answers[index], "an answer to each text");
      const words = present(ran.encoded.words[index], "words of each text");
      const text = String(request.inputs[index]);
      entities.push(entitiesFound({ text, words, labels, ...outputs }));
    });
    return { version: number, entities };
  },
);

export const embeddingsQuestion: Question<EmbeddingsAnswer, TextAnswer> = {
  task: undefined,
  lane: ({ lanes }) => lanes.sequence,
  encode: encodeInputs,
  decode({ answers }: Ran<TextAnswer>) {
    return { embeddings: answers.map(({ embedding }) => embedding) };
  },
};
