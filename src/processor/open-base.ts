/** A base model made ready to answer: its weights in every worker, its tokenizer, its lanes. */
import type { Precision } from "../entities/base-model.ts";
import type { Clock } from "../foundation/clock.ts";
import { type BaseWeights, constantsOf } from "../checkpoints/base-weights.ts";
import type { Checkpoint } from "../checkpoints/checkpoints.ts";
import { servingGraph } from "../models/serving-graph.ts";
import type { TaskUnit } from "../models/task-graph.ts";
import { AdapterPrograms } from "../lanes/adapter-programs.ts";
import type { Lane } from "../lanes/lane.ts";
import { type TextAnswer, textLane } from "../lanes/text-lane.ts";
import { type TokenOutputs, tokenOutputs } from "../tasks/token-classification.ts";
import { tokenLane } from "../lanes/token-lane.ts";
import { measureMsPerToken } from "../lanes/warm-up.ts";
import { TokenizeQueue } from "./tokenize-queue.ts";
import type { Workers } from "../engine/workers.ts";

/** What the lanes of a base answer. */
export interface LaneAnswers {
  /** Labels and embeddings of whole texts, of vPLMs and of the bare base. */
  readonly sequence: TextAnswer;
  /** What each token is part of; the program is loaded when it is first asked. */
  readonly token: TokenOutputs;
}

export interface OpenBase {
  readonly id: string;
  readonly checkpoint: Checkpoint;
  readonly precision: Precision;
  readonly tokenizer: TokenizeQueue;
  /** Lanes by what gets scores: a question runs on the one of its task's unit. */
  readonly lanes: { readonly [Unit in TaskUnit]: Lane<LaneAnswers[Unit]> };
  /**
   * Writes down what is loaded when it is first called for: graphs of a thousand nodes, which would
   * hold the main thread while others wait.
   */
  prepare(): void;
}

export interface OpenBaseOptions {
  readonly id: string;
  readonly checkpoint: Checkpoint;
  readonly weights: BaseWeights;
  readonly precision: Precision;
  readonly workers: Workers;
  /** The pool's memory. */
  readonly memory: Float32Array;
  readonly clock: Clock;
}

/** What is wrong with a base shows here: the program of its texts is loaded into every worker. */
export async function openBase(options: OpenBaseOptions): Promise<OpenBase> {
  const { id, checkpoint, weights, precision, workers, memory, clock } = options;
  // What may be wrong with a base comes before its weights fill every worker.
  const tokenizer = new TokenizeQueue(await checkpoint.tokenizer());
  const { config } = checkpoint;
  const programsOf = (task: TaskUnit): AdapterPrograms =>
    new AdapterPrograms(config, (adapters) => {
      const graph = servingGraph(config, precision, { adapters, task });
      return { graph, constants: constantsOf(graph, weights) };
    });
  const programs = programsOf("sequence");
  const { adapters } = programs.upper;
  const warmUp = { config, adapters, clock };
  const msPerToken = await measureMsPerToken(await workers.load(programs.upper), warmUp);
  const parts = { msPerToken, config, memory };
  const sequence = textLane({ ...parts, key: `${id} dense text ${precision}`, programs });
  const key = `${id} dense token ${precision}`;
  const tokenPrograms = programsOf("token");
  const token = tokenLane({ ...parts, key, programs: tokenPrograms }, tokenOutputs);
  const prepare = (): void => {
    for (const program of [programs.all, tokenPrograms.upper, tokenPrograms.all])
      workers.prepare(program);
  };
  return { id, checkpoint, precision, tokenizer, lanes: { sequence, token }, prepare };
}
