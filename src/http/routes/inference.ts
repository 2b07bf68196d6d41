/** Embeddings and classifications: the hot path. */
import type { Classifications, Embeddings, inferenceRoutes } from "../../contract/inference.ts";
import { isSingle, type TextInput, type TokenInput } from "../../contract/inputs.ts";
import { StrataError } from "../../foundation/errors.ts";
import { limits } from "../../foundation/limits.ts";
import type { AnswerSource, ModelInputs } from "../../processor/processor.ts";
import { answerMax, answerTooLong, listOrReply, tellTimings } from "../answer-reply.ts";
import type { HandlersOf } from "../operation.ts";
import type { Services } from "../services.ts";
import { classifyTokens } from "./classify-tokens.ts";
import { embeddingsQuestion, labelsQuestion } from "../../processor/questions.ts";
import { bestLabels } from "../../tasks/text-classification.ts";

/** Characters of an answer's scores and numbers, at most: names, quotes and digits. */
const scoreCharactersMax = 48;
const componentCharactersMax = 26;

type Classification = Classifications["data"][number];
type Embedding = Embeddings["data"][number];

export function inferenceHandlers(services: Services): HandlersOf<typeof inferenceRoutes> {
  const { processor } = services;
  return {
    createEmbeddings: async ({ caller, body, signal, answerHeaders }) => {
      const { model, dimensions, truncate, encoding_format: format } = body;
      const inputs = modelInputs(body.input);
      const answer = await processor.ask(caller, embeddingsQuestion, {
        ...{ model, inputs, isSingle: isSingle(body.input), signal, truncate },
        checkAnswer: (source) => checkEmbeddingBytes(source, inputs.length),
      });
      tellTimings(answerHeaders, answer);
      const encode = format === "base64" ? base64 : numbers;
      const item = (index: number): Embedding => ({
        object: "embedding",
        index,
        embedding: encode(shortened(answer.embeddings[index] ?? new Float32Array(), dimensions)),
        truncated: answer.isTruncated[index] ?? false,
      });
      const valueCount = inputs.length * (answer.embeddings[0]?.length ?? 0);
      const fields = { object: "list", model: answer.model } as const;
      return listOrReply(fields, { answer, item, valueCount });
    },
    classify: async ({ caller, body, signal, answerHeaders }) => {
      const texts = typeof body.input === "string" ? [body.input] : body.input;
      const { model, truncate, top_k: scoreCount } = body;
      const answer = await processor.ask(caller, labelsQuestion, {
        ...{ model, inputs: texts, isSingle: isSingle(body.input), signal, truncate },
        checkAnswer: (source) => checkScoreBytes(source, texts.length, scoreCount),
      });
      tellTimings(answerHeaders, answer);
      const item = (index: number): Classification => {
        const row = answer.probabilities[index] ?? new Float32Array();
        const scores = bestLabels(row, answer.labels).slice(0, scoreCount);
        const { label = "", score = 0 } = scores[0] ?? {};
        const truncated = answer.isTruncated[index] ?? false;
        return { object: "classification", index, label, score, scores, truncated };
      };
      const fields = { object: "list", model: answer.model, version: answer.version } as const;
      const valueCount = texts.length * answer.labels.length;
      return listOrReply(fields, { answer, item, valueCount });
    },
    classifyTokens: classifyTokens(services),
  };
}

/** INVALID_ARGUMENT for an answer that no client could read whole. */
function checkScoreBytes({ labels }: AnswerSource, textCount: number, scoreCount: number): void {
  // What fits with the longest labels is not looked at closer.
  if (textCount * scoreCount * (limits.labelCharactersMax + scoreCharactersMax) <= answerMax)
    return;
  const lengths = labels.map((label) => JSON.stringify(label).length);
  const longestFirst = lengths.toSorted((one, other) => other - one).slice(0, scoreCount);
  const sum = longestFirst.reduce((total, length) => total + length + scoreCharactersMax, 0);
  if (textCount * sum <= answerMax) return;
  const state = `${textCount} texts with ${scoreCount} scores may take ${textCount * sum} bytes`;
  throw answerTooLong(`${state}, the limit is ${answerMax}`, "top_k");
}

function checkEmbeddingBytes({ hiddenSize }: AnswerSource, count: number): void {
  const bytes = count * hiddenSize * componentCharactersMax;
  if (bytes <= answerMax) return;
  const state = `${count} embeddings may take ${bytes} bytes, the limit is ${answerMax}`;
  throw answerTooLong(state, "input");
}

function modelInputs(input: TextInput | TokenInput): ModelInputs {
  if (typeof input === "string") return [input];
  if (typeof input[0] === "number") return [input as number[]]; // All are of the first's kind.
  return input as string[] | number[][]; // As above.
}

/** The first `dimensions` components at length 1, as models trained for being cut want it. */
function shortened(vector: Float32Array, dimensions: number | undefined): Float32Array {
  if (dimensions === undefined || dimensions === vector.length) return vector;
  if (dimensions > vector.length)
    throw new StrataError(
      "INVALID_ARGUMENT",
      `Cannot cut the embedding: expected at most ${vector.length} dimensions, got ${dimensions}`,
      { field: "dimensions" },
    );
  const part = vector.subarray(0, dimensions);
  const length = Math.hypot(...part);
  return length === 0 ? part : part.map((component) => component / length);
}

function numbers(vector: Float32Array): number[] {
  return Array.from(vector);
}

/** Little-endian, as every machine is that ONNX Runtime is built for. */
function base64(vector: Float32Array): string {
  return Buffer.from(vector.buffer, vector.byteOffset, vector.byteLength).toString("base64");
}
