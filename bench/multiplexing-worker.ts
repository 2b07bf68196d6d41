/**
 * A stage process: an engine of one thread that runs stages of models, first come first served, and
 * ends when its parent closes the channel or dies.
 */
import { upperBottleneck, upperForm } from "../src/models/adapters/adapters.ts";
import type { EncoderConfig } from "../src/entities/base-model.ts";
import { present } from "../src/foundation/assert.ts";
import { stageGraph } from "../src/models/stage-graph.ts";
import { textFeeds } from "../src/lanes/batch-feeds.ts";
import { OrtRuntime } from "../src/runtime/ort/ort-runtime.ts";
import type { Feeds, Program, Results } from "../src/runtime/runtime.ts";
import type { Graph } from "../src/tensor/tensor.ts";
import type { StageCommand, StageInput, StageModel, StageReply } from "./multiplexing-messages.ts";

interface Loaded {
  readonly config: EncoderConfig;
  readonly graph: Graph;
  readonly program: Program;
}

const runtime = new OrtRuntime({ threadCount: 1, spinUs: 0 });
const stages: Loaded[] = [];
/** Adapters and heads of zeros, which cost what others do. */
const memory = new Float32Array(new SharedArrayBuffer(4));
/** The time at which the run before was done. */
let freeMs = 0;

process.on("message", (command: StageCommand) => {
  const { id } = command;
  const receivedMs = performance.now();
  execute(command)
    .then((results) => {
      const startMs = Math.max(receivedMs, freeMs);
      freeMs = performance.now();
      const waitSeconds = (startMs - receivedMs) / 1000;
      reply({ id, answer: { results, waitSeconds, busySeconds: (freeMs - startMs) / 1000 } });
    })
    .catch((error: unknown) => reply({ id, error: String(error) }));
});

// Nothing else keeps the process; a parent may be gone before this line.
process.on("disconnect", () => void runtime.close());
if (!process.connected) void runtime.close();

async function execute(command: StageCommand): Promise<Results> {
  if (command.kind === "run")
    return run(present(stages[command.program], "it was loaded"), command.input);
  await load(command.model);
  return {};
}

async function load({ config, precision, span, weights }: StageModel): Promise<void> {
  const graph = stageGraph(config, precision, { ...span, adapters: [upperForm(config)] });
  stages.push({ config, graph, program: await runtime.load(graph, { constants: weights }) });
}

function run({ config, graph, program }: Loaded, { ids, states }: StageInput): Promise<Results> {
  const adapter = upperBottleneck(config, 16);
  const own = { pooling: "mean", adapter, outputCount: 2, resident: undefined } as const;
  const rows = ids.map((tokens) => ({ ids: tokens, ...own }));
  const feeds: Record<string, Feeds[string]> = {
    ...textFeeds(config, rows, { memory, adapters: [upperForm(config)] }),
  };
  // A copy: the buffer is the channel's, and a run takes buffers over.
  if (states !== undefined) feeds["states"] = { ...states, values: states.values.slice() };
  const given = Object.entries(feeds).filter(([name]) => graph.inputs.has(name));
  return program.run(Object.fromEntries(given));
}

function reply(message: StageReply): void {
  // A parent that is gone wants no answer.
  if (process.connected) process.send?.(message, () => {});
}
