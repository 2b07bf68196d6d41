/** Entities in texts. */
import type { inferenceRoutes, TokenClassifications } from "../../contract/inference.ts";
import { isSingle } from "../../contract/inputs.ts";
import { limits } from "../../foundation/limits.ts";
import type { AnswerSource } from "../../processor/processor.ts";
import { answerMax, answerTooLong, listOrReply, tellTimings } from "../answer-reply.ts";
import type { HandlersOf } from "../operation.ts";
import type { Services } from "../services.ts";
import { entitiesQuestion } from "../../processor/questions.ts";

type TokenClassification = TokenClassifications["data"][number];

/** Characters of an entity in an answer beside its label and its word, at most. */
const entityCharactersMax = 112;
/** Characters that one may take in JSON, at most. */
const escapeLength = 6;

export function classifyTokens({
  processor,
}: Services): HandlersOf<typeof inferenceRoutes>["classifyTokens"] {
  return async ({ caller, body, signal, answerHeaders }) => {
    const texts = typeof body.input === "string" ? [body.input] : body.input;
    const { model, truncate } = body;
    const answer = await processor.ask(caller, entitiesQuestion, {
      ...{ model, inputs: texts, isSingle: isSingle(body.input), signal, truncate },
      checkAnswer: (source) => checkEntityBytes(source, texts),
    });
    tellTimings(answerHeaders, answer);
    const item = (index: number): TokenClassification => ({
      object: "token_classification",
      index,
      entities: (answer.entities[index] ?? []).map(({ label, ...found }) => ({
        entity_group: label,
        ...found,
      })),
      truncated: answer.isTruncated[index] ?? false,
    });
    const fields = { object: "list", model: answer.model, version: answer.version } as const;
    const valueCount = answer.entities.reduce((sum, { length }) => sum + 4 * length, 0);
    return listOrReply(fields, { answer, item, valueCount });
  };
}

/**
 * INVALID_ARGUMENT for an answer that no client could read whole: a text has at most an entity for
 * each character, and a request one for each token. What fits with the longest labels is not looked
 * at closer.
 */
function checkEntityBytes({ labels }: AnswerSource, texts: readonly string[]): void {
  const characters = texts.reduce((sum, { length }) => sum + length, 0);
  const entityCount = Math.min(characters, limits.requestTokensMax);
  const bytesWith = (labelLength: number): number =>
    entityCount * (labelLength + entityCharactersMax) + escapeLength * characters;
  if (bytesWith(escapeLength * limits.labelCharactersMax) <= answerMax) return;
  const lengths = labels.map((label) => JSON.stringify(label).length);
  const bytes = bytesWith(lengths.reduce((longest, length) => Math.max(longest, length), 0));
  if (bytes <= answerMax) return;
  const state = `the entities of ${characters} characters may take ${bytes} bytes`;
  throw answerTooLong(`${state}, the limit is ${answerMax}`, "input");
}
