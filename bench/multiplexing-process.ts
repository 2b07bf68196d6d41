/** One device of the bench: a process with one core, if the machine lets it be pinned. */
import { type ChildProcess, fork, spawnSync } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { constantsOf, type BaseWeights } from "../src/checkpoints/base-weights.ts";
import { stageGraph } from "../src/models/stage-graph.ts";
import type {
  StageAnswer,
  StageCommand,
  StageInput,
  StageModel,
  StageReply,
} from "./multiplexing-messages.ts";

const program = fileURLToPath(new URL("./multiplexing-worker.js", import.meta.url));

interface Pending {
  resolve(answer: StageAnswer): void;
  reject(error: Error): void;
}

/** A command without its id, which is added when it is sent. */
type Command = StageCommand extends infer C ? (C extends unknown ? Omit<C, "id"> : never) : never;

/** A model's stage on a process. */
export type LoadedStage = (input: StageInput) => Promise<StageAnswer>;

export class StageProcess {
  readonly #child: ChildProcess;
  readonly #pending = new Map<number, Pending>();
  readonly #exit: Promise<unknown>;
  #commandCount = 0;
  #programCount = 0;

  /** Runs on this core, if there is `taskset` and it may. */
  constructor(core: number) {
    const isPinned = spawnSync("taskset", ["-c", String(core), "true"]).status === 0;
    this.#child = fork(program, {
      serialization: "advanced",
      execArgv: isPinned ? ["-c", String(core), process.execPath] : [],
      ...(isPinned ? { execPath: "taskset" } : {}),
    });
    this.#child.on("message", (reply: StageReply) => {
      const pending = this.#pending.get(reply.id);
      this.#pending.delete(reply.id);
      if ("answer" in reply) pending?.resolve(reply.answer);
      else pending?.reject(new Error(reply.error));
    });
    this.#exit = once(this.#child, "exit");
    this.#child.on("exit", () => {
      for (const { reject } of this.#pending.values()) reject(new Error("A stage has ended"));
    });
  }

  async load(model: Omit<StageModel, "weights"> & { weights: BaseWeights }): Promise<LoadedStage> {
    const { config, precision, span } = model;
    const weights = constantsOf(
      stageGraph(config, precision, { ...span, adapters: [] }),
      model.weights,
    );
    const number = this.#programCount++;
    await this.#ask({ kind: "load", model: { config, precision, span, weights } });
    return (input) => this.#ask({ kind: "run", program: number, input });
  }

  /** Ends the process after what it runs now. */
  async close(): Promise<void> {
    if (this.#child.connected) this.#child.disconnect();
    await this.#exit;
  }

  #ask(command: Command): Promise<StageAnswer> {
    const id = this.#commandCount++;
    return new Promise((resolve, reject) => {
      this.#pending.set(id, { resolve, reject });
      this.#child.send({ id, ...command }, (error) => {
        if (error !== null) reject(error);
      });
    });
  }
}
