/** Embeddings and classifications: the hot path. */
import type { inferenceRoutes } from "../contract/inference.ts";
import type { TextInput, TokenInput } from "../contract/inputs.ts";
import { StrataError } from "../foundation/errors.ts";
import { limits } from "../foundation/limits.ts";
import type { EmbedInputs, RequestTimings } from "../processor/processor.ts";
import { type Deadline, withinDeadline } from "./deadline.ts";
import type { HandlersOf } from "./operation.ts";
import type { Services } from "./services.ts";

export function inferenceHandlers(services: Services): HandlersOf<typeof inferenceRoutes> {
  const { clock, processor } = services;
  const deadlineOf = ({ signal: client }: Request): Deadline => ({
    clock,
    client,
    waitMsMax: limits.requestWaitMsMax,
  });
  return {
    createEmbeddings: async ({ body, request, answerHeaders }) => {
      const inputs = embedInputs(body.input);
      const answer = await withinDeadline(deadlineOf(request), (signal) =>
        processor.embed(body.model, inputs, { signal }),
      );
      tellTimings(answerHeaders, answer.timings);
      const encode = body.encoding_format === "base64" ? base64 : numbers;
      return {
        object: "list",
        model: answer.model,
        data: answer.embeddings.map((vector, index) => ({
          object: "embedding",
          index,
          embedding: encode(shortened(vector, body.dimensions)),
        })),
        usage: { prompt_tokens: answer.tokenCount, total_tokens: answer.tokenCount },
      };
    },
    classify: async ({ body, request, answerHeaders }) => {
      const texts = typeof body.input === "string" ? [body.input] : body.input;
      const { truncate, top_k: scoreCount } = body;
      const answer = await withinDeadline(deadlineOf(request), (signal) =>
        processor.classify(body.model, texts, { signal, truncate }),
      );
      tellTimings(answerHeaders, answer.timings);
      return {
        object: "list",
        model: answer.model,
        version: answer.version,
        data: answer.probabilities.map((row, index) => {
          const scores = bestScores(row, answer.labels, scoreCount);
          const { label = "", score = 0 } = scores[0] ?? {};
          return { object: "classification", index, label, score, scores };
        }),
        usage: { prompt_tokens: answer.tokenCount, total_tokens: answer.tokenCount },
      };
    },
  };
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

function tellTimings(headers: Record<string, string>, timings: RequestTimings): void {
  headers["x-strata-tokenize-ms"] = timings.tokenizeMs.toFixed(3);
  headers["x-strata-queue-ms"] = timings.queueMs.toFixed(3);
  headers["x-strata-run-ms"] = timings.runMs.toFixed(3);
}
