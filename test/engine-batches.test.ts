/**
 * An answer never depends on who else is in the batch: sequences of any length and vPLM, run in
 * random batches on a real base, equal the same sequence run alone, in fp32 and in int8.
 */
import assert from "node:assert/strict";
import { after, describe, it, type TestContext } from "node:test";
import type { Precision } from "../src/entities/base-model.ts";
import { SeededRandom } from "../src/foundation/random.ts";
import type { BatchRow } from "../src/lanes/lane.ts";
import { textFeeds } from "../src/lanes/batch-feeds.ts";
import { float32Result, type Program } from "../src/runtime/runtime.ts";
import {
  adapterOf,
  loadServing,
  maxDifference,
  openStack,
  type RandomModel,
  randomTensors,
  type Stack,
} from "../src/processor/exam-stack.ts";
import { realBaseFolder } from "./exam-real-base.ts";
import { formsIn, upperLayers } from "../src/models/adapters/adapters.ts";

const seed = 20_260_102;
const random = new SeededRandom(seed);

type Model = Omit<BatchRow, "ids">;

interface Answer {
  readonly probabilities: Float32Array;
  readonly embedding: Float32Array;
}

/** Ranks and labels of every kind that a server meets; the last is a bare base model. */
const kinds: readonly Omit<RandomModel, "id">[] = [
  { rank: 16, labelCount: 2 },
  { rank: 64, labelCount: 6 },
  { rank: 1, labelCount: 3 },
  { rank: 33, labelCount: 77 },
  { rank: 8, labelCount: 2 },
  { rank: 0, labelCount: 5 },
  { rank: 0, labelCount: 0 },
];

class Bench {
  readonly #stack: Stack;
  readonly #program: Program;
  #used = 0;

  constructor(stack: Stack, program: Program) {
    this.#stack = stack;
    this.#program = program;
  }

  /** Writes a model's weights into the pool's memory; `change` may spoil them. */
  place(kind: Omit<RandomModel, "id">, change = (value: number): number => value): Model {
    const { rank, labelCount } = kind;
    const pooling = random.uniform() < 0.3 ? "cls" : "mean";
    const adapter = adapterOf(this.#stack.checkpoint, rank);
    if (labelCount === 0) return { adapter, outputCount: labelCount, pooling, resident: undefined };
    const resident = new Map<string, { offset: number; length: number }>();
    for (const [name, { values }] of randomTensors(this.#stack.checkpoint, kind)) {
      this.#stack.pool.memory.set(values.map(change), this.#used);
      resident.set(name, { offset: this.#used, length: values.length });
      this.#used += values.length;
    }
    return { adapter, outputCount: labelCount, pooling, resident };
  }

  async run(rows: readonly BatchRow[]): Promise<readonly Answer[]> {
    const { hiddenSize } = this.#stack.checkpoint.config;
    const { memory } = this.#stack.pool;
    const { config } = this.#stack.checkpoint;
    const feeds = textFeeds(config, rows, { memory, adapters: formsIn(upperLayers(config)) });
    const results = await this.#program.run(feeds);
    const { values: probabilities } = float32Result(results, "probabilities");
    const { values: embeddings } = float32Result(results, "embeddings");
    const width = probabilities.length / rows.length;
    return rows.map(({ outputCount }, row) => ({
      probabilities: probabilities.slice(row * width, row * width + outputCount),
      embedding: embeddings.slice(row * hiddenSize, (row + 1) * hiddenSize),
    }));
  }

  /** The largest difference of any of `checked` between the batch and the sequence alone. */
  async difference(rows: readonly BatchRow[], checked = rows): Promise<number> {
    const together = await this.run(rows);
    let most = 0;
    for (const row of checked) {
      const [alone] = await this.run([row]);
      const answer = together[rows.indexOf(row)];
      assert.ok(alone !== undefined && answer !== undefined);
      for (const part of ["probabilities", "embedding"] as const) {
        const difference = maxDifference(answer[part], alone[part]);
        if (!(difference <= most)) most = difference;
      }
    }
    return most;
  }
}

function rowOf(length: number, model: Model | undefined): BatchRow {
  assert.ok(model !== undefined);
  return { ids: Int32Array.from({ length }, () => 1000 + random.integer(29_000)), ...model };
}

interface Open {
  readonly stack: Stack;
  readonly program: Program;
}

const opened = new Map<Precision, Promise<Open>>();

async function open(folder: string, precision: Precision): Promise<Open> {
  const stack = await openStack({ folder, precision });
  return { stack, program: await loadServing(stack, precision) };
}

after(async () => {
  for (const opening of opened.values()) await (await opening).stack.close();
});

/** Runs an examination in both precisions. */
function examine(
  name: string,
  body: (bench: Bench, note: (text: string) => void) => Promise<void>,
): void {
  for (const precision of ["fp32", "int8"] as const satisfies readonly Precision[])
    it(`${name}, ${precision}`, async (context: TestContext) => {
      const folder = await realBaseFolder(context);
      if (folder === undefined) return;
      const opening = opened.get(precision) ?? open(folder, precision);
      opened.set(precision, opening);
      const { stack, program } = await opening;
      await body(new Bench(stack, program), (text) => context.diagnostic(`${precision}: ${text}`));
    });
}

describe("a sequence in a batch equals itself alone", () => {
  examine("among random lengths, ranks and labels", async (bench, note) => {
    const models = kinds.map((kind) => bench.place(kind));
    let most = 0;
    for (let round = 0; round < 4; round++) {
      // Every kind twice in two rounds; lengths from 1 up to 40, one long one.
      const rows = Array.from({ length: 9 }, (_, index) =>
        rowOf(1 + random.integer(40), models[(index + round * 4) % models.length]),
      );
      const difference = await bench.difference(rows);
      assert.ok(difference <= 1e-5, `round ${round}, seed ${seed}: ${difference}`);
      most = Math.max(most, difference);
    }
    note(`largest difference ${most}`);
  });

  examine("between one token and 256", async (bench, note) => {
    const models = kinds.map((kind) => bench.place(kind));
    const lengths = [256, 1, 97, 2, 31];
    const rows = lengths.map((length, index) => rowOf(length, models[index % models.length]));
    const difference = await bench.difference(rows);
    assert.ok(difference <= 1e-5, `seed ${seed}: ${difference}`);
    note(`largest difference ${difference}`);
  });

  examine("in a full batch of short ones", async (bench, note) => {
    const models = kinds.map((kind) => bench.place(kind));
    const rows = Array.from({ length: 64 }, (_, index) =>
      rowOf(1 + random.integer(8), models[index % models.length]),
    );
    const difference = await bench.difference(rows);
    assert.ok(difference <= 1e-5, `seed ${seed}: ${difference}`);
    note(`largest difference ${difference}`);
  });

  for (const [what, spoil] of [
    ["huge", (value: number): number => value * 1e30],
    ["NaN", (): number => NaN],
    ["infinite", (value: number): number => value * Infinity],
  ] as const)
    examine(`beside a vPLM of ${what} weights`, async (bench) => {
      const models = kinds.map((kind) => bench.place(kind));
      const bad = bench.place({ rank: 40, labelCount: 9 }, spoil);
      const good = [5, 23, 1, 12].map((length, index) => rowOf(length, models[index]));
      const rows = [rowOf(30, bad), ...good, rowOf(3, bad)];
      const difference = await bench.difference(rows, good);
      assert.ok(difference <= 1e-5, `seed ${seed}: ${difference}`);
      // The neighbour is as bad as it should be, and alone with it.
      const [spoilt] = await bench.run(rows);
      assert.ok(spoilt?.probabilities.some((value) => !(value > 0 && value < 1)));
    });
});
