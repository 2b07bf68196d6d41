/**
 * `Question`: what can be asked of a model, from inputs to an answer. It knows whose task it is,
 * on which lane it runs, how inputs become sequences, and what the lane's answers mean.
 */
import type { TaskName } from "../entities/virtual-model.ts";
import type { Encoded, EncodedWords } from "../formats/formats.ts";
import { present } from "../foundation/assert.ts";
import { Pace } from "../foundation/pace.ts";
import {
  entitiesFound,
  type FoundEntity,
  type TokenOutputs,
} from "../tasks/token-classification.ts";
import { encodeInputs, encodeWords } from "./inputs.ts";
import type { Lane } from "../lanes/lane.ts";
import type { Resolved, ResolvedVersion } from "./model-directory.ts";
import type { OpenBase } from "./open-base.ts";
import type { AnswerFacts, Answers, ModelRequest, QuestionName } from "./processor.ts";
import type { TextAnswer } from "../lanes/text-lane.ts";

export interface Question<Answer> {
  /** The task of the models that can answer; undefined where every one can, and a bare base. */
  readonly task: TaskName | undefined;
  lane(base: OpenBase): Lane;
  /** The sequences of checked inputs. */
  encode(base: OpenBase, request: ModelRequest): Promise<Encoded>;
  /** What the lane's answers mean, beside what every answer tells. */
  decode(ran: Ran): OwnPart<Answer> | Promise<OwnPart<Answer>>;
}

/** A question that was run: lane and encoding are the question's own. */
export interface Ran<Raw = unknown, E extends Encoded = Encoded, R extends Resolved = Resolved> {
  readonly request: ModelRequest;
  readonly resolved: R;
  readonly encoded: E;
  /** One per input. */
  readonly answers: readonly Raw[];
}

type OwnPart<Answer> = Omit<Answer, keyof AnswerFacts>;

export const questions: { readonly [Q in QuestionName]: Question<Answers[Q]> } = {
  labels: {
    task: "text-classification",
    lane: ({ texts }) => texts,
    encode: encodeInputs,
    decode({ resolved, answers }: Ran<TextAnswer, Encoded, ResolvedVersion>) {
      const { labels, number } = resolved.version;
      return { version: number, labels, probabilities: answers.map((own) => own.probabilities) };
    },
  },
  entities: {
    task: "token-classification",
    lane: ({ tokens }) => tokens,
    encode: encodeWords,
    async decode({ request, ...ran }: Ran<TokenOutputs, EncodedWords, ResolvedVersion>) {
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
  },
  embeddings: {
    task: undefined,
    lane: ({ texts }) => texts,
    encode: encodeInputs,
    decode({ answers }: Ran<TextAnswer>) {
      return { embeddings: answers.map(({ embedding }) => embedding) };
    },
  },
};
