/** Embeddings and classifications: the hot path. */
import type { Classifications, Embeddings, inferenceRoutes } from "../../contract/inference.ts";
import type { TextInput, TokenInput } from "../../contract/inputs.ts";
import type { Caller } from "../../entities/caller.ts";
import { StrataError } from "../../foundation/errors.ts";
import { limits } from "../../foundation/limits.ts";
import { resolveModel } from "../../processor/model-directory.ts";
import type { EmbedInputs } from "../../processor/processor.ts";
import type { Store } from "../../storage/storage.ts";
import { answerMax, answerTooLong, listOrReply, tellTimings } from "../answer-reply.ts";
import type { HandlersOf } from "../operation.ts";
import type { Services } from "../services.ts";
import { classifyTokens } from "./classify-tokens.ts";

/** Characters of an answer's scores and numbers, at most: names, quotes and digits. */
const scoreCharactersMax = 48;
const componentCharactersMax = 26;

type Classification = Classifications["data"][number];
type Embedding = Embeddings["data"][number];

export function inferenceHandlers(services: Services): HandlersOf<typeof inferenceRoutes> {
  const { processor, store } = services;
  return {
    createEmbeddings: async ({ caller, body, signal, answerHeaders }) => {
      const { model, dimensions, truncate, encoding_format: format } = body;
      const inputs = embedInputs(body.input);
      await checkEmbeddingBytes(caller, store, { name: model, count: inputs.length });
      const answer = await processor.embed(caller, { model, inputs, signal, truncate });
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
      const size = { name: model, textCount: texts.length, scoreCount };
      await checkScoreBytes(caller, store, size);
      const answer = await processor.classify(caller, { model, texts, signal, truncate });
      tellTimings(answerHeaders, answer);
      const item = (index: number): Classification => {
        const row = answer.probabilities[index] ?? new Float32Array();
        const scores = bestScores(row, answer.labels, scoreCount);
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

interface ScoreSize {
  readonly name: string;
  readonly textCount: number;
  readonly scoreCount: number;
}

/**
 * INVALID_ARGUMENT for an answer that no client could read whole. What fits with the longest labels
 * is not looked at closer.
 */
async function checkScoreBytes(
  caller: Caller,
  store: Store,
  { name, textCount, scoreCount }: ScoreSize,
): Promise<void> {
  if (textCount * scoreCount * (limits.labelCharactersMax + scoreCharactersMax) <= answerMax)
    return;
  const resolved = await resolveModel(caller, store.catalog, name);
  const labels = resolved.kind === "base" ? [] : resolved.version.labels;
  const lengths = labels.map((label) => JSON.stringify(label).length);
  const longestFirst = lengths.toSorted((one, other) => other - one).slice(0, scoreCount);
  const sum = longestFirst.reduce((total, length) => total + length + scoreCharactersMax, 0);
  if (textCount * sum <= answerMax) return;
  const state = `${textCount} texts with ${scoreCount} scores may take ${textCount * sum} bytes`;
  throw answerTooLong(`${state}, the limit is ${answerMax}`, "top_k");
}

async function checkEmbeddingBytes(
  caller: Caller,
  store: Store,
  { name, count }: { readonly name: string; readonly count: number },
): Promise<void> {
  if (count * limits.hiddenSizeMax * componentCharactersMax <= answerMax) return;
  const { base } = await resolveModel(caller, store.catalog, name);
  const size = (await store.catalog.bases.get(base))?.config.hiddenSize ?? 0;
  const bytes = count * size * componentCharactersMax;
  if (bytes <= answerMax) return;
  const state = `${count} embeddings may take ${bytes} bytes, the limit is ${answerMax}`;
  throw answerTooLong(state, "input");
}

/** The labels of the highest probabilities, best first; equal ones in the head's order. */
function bestScores(
  row: Float32Array,
  labels: readonly string[],
  count: number,
): { label: string; score: number }[] {
  const scores = labels.map((label, index) => ({ label, score: row[index] ?? 0 }));
  return scores.sort((one, other) => other.score - one.score).slice(0, count);
}

function embedInputs(input: TextInput | TokenInput): EmbedInputs {
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
