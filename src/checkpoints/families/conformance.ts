/**
 * The exam of families: a tiny checkpoint of random weights, written by the names that the family
 * gives, is opened and run as any other, and compared with plain loops in float64 that know the
 * checkpoint alone. It is here because families know neither files nor a runtime.
 */
import assert from "node:assert/strict";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import type { EncoderConfig, Precision } from "../../entities/base-model.ts";
import type { Weight, Weights } from "../../entities/weights.ts";
import { encodeSafetensors } from "../../formats/safetensors.ts";
import { elementCount } from "../../foundation/element-count.ts";
import { present } from "../../foundation/assert.ts";
import { SeededRandom } from "../../foundation/random.ts";
import { sequenceInputs, shallowPart, upperPart } from "../../models/encoder.ts";
import { familyOf } from "../../models/families/families.ts";
import { shallowState } from "../../models/shallow-state.ts";
import { OrtRuntime } from "../../runtime/ort/ort-runtime.ts";
import type { Dense } from "../../runtime/reference/dense.ts";
import { evaluateGraph } from "../../runtime/reference/evaluate.ts";
import type { Value } from "../../runtime/runtime.ts";
import { gradient } from "../../tensor/gradient.ts";
import { mul } from "../../tensor/operators/elementwise.ts";
import { reduceSum, reshape } from "../../tensor/operators/shape.ts";
import { Graph } from "../../tensor/tensor.ts";
import { type BaseWeights, constantsOf, loadBaseWeights } from "../base-weights.ts";
import { parseConfig } from "../config.ts";
import { openCheckpoint } from "../folder.ts";

export interface FamilyExam {
  /** Fields of `config.json`, for an encoder of three layers and at least 20 places. */
  readonly config: Readonly<Record<string, unknown>>;
  /** The states after the last layer of one text, `[tokens, hidden]`, from the checkpoint alone. */
  readonly compute: (tensors: Weights, ids: readonly number[]) => readonly (readonly number[])[];
}

/** Texts of several lengths, so that a batch of them is padded. */
const texts = [
  [0, 4, 7, 5, 2],
  [0, 2],
  [0, ...Array.from({ length: 16 }, (_, index) => 3 + ((index * 7) % 9)), 2],
];

/** Registers the exam's tests in the current suite. */
export function examineFamily(name: string, { config: fields, compute }: FamilyExam): void {
  const text = JSON.stringify(fields);
  const config = parseConfig(text);
  const tensors = randomTensors(config);
  const runtime = new OrtRuntime({ threadCount: 1, spinUs: 0 });
  let weights: BaseWeights = new Map();
  let folder = "";
  const load = async (file: Weights): Promise<BaseWeights> => {
    await writeFile(join(folder, "config.json"), text);
    await writeFile(join(folder, "model.safetensors"), encodeSafetensors(file));
    return loadBaseWeights(await openCheckpoint(folder), runtime);
  };
  /** The states `[batch, sequence, hidden]` of the spans of layers, run one after the other. */
  const run = async (
    batch: readonly (readonly number[])[],
    precision: Precision,
    cuts: readonly number[] = [0, config.layerCount],
  ): Promise<Float32Array> => {
    let feeds: Record<string, Value> = feedsOf(batch);
    for (const [stage, until] of cuts.slice(1).entries()) {
      const graph = spanGraph(config, precision, { from: cuts[stage] ?? 0, until });
      const program = await runtime.load(graph, { constants: constantsOf(graph, weights) });
      const { state } = await program.run(feeds);
      await program.release();
      const { ids: _, ...others } = feedsOf(batch);
      feeds = { ...others, states: present(state, "It is the output") };
    }
    const { values } = present(feeds["states"], "There is a stage");
    return values as Float32Array; // states are floats
  };
  const { hiddenSize } = config;

  describe(`the family ${name}`, () => {
    before(async () => {
      folder = await mkdtemp(join(tmpdir(), "strata-family-"));
      weights = await load(tensors);
    });
    after(async () => {
      await runtime.close();
      await rm(folder, { recursive: true });
    });

    it("computes what plain loops compute from the checkpoint", async () => {
      for (const ids of texts) {
        const found = await run([ids], "fp32");
        assertClose(found, compute(tensors, ids).flat(), 2e-5);
      }
    });

    for (const precision of ["fp32", "int8"] as const)
      it(`gives a text in a padded batch what it gives it alone: ${precision}`, async () => {
        const together = await run(texts, precision);
        const longest = Math.max(...texts.map((ids) => ids.length));
        for (const [row, ids] of texts.entries()) {
          const start = row * longest * hiddenSize;
          const own = together.subarray(start, start + ids.length * hiddenSize);
          assertClose(own, await run([ids], precision), 2e-6);
        }
      });

    for (const cuts of [
      [0, 1, 3],
      [0, 2, 3],
      [0, 1, 2, 3],
    ])
      it(`is the whole when cut at ${cuts.join(", ")}`, async () => {
        for (const precision of ["fp32", "int8"] as const)
          assertClose(await run(texts, precision, cuts), await run(texts, precision), 2e-6);
      });

    it("has the gradients that differences show, of every weight", () => {
      examineGradients(config, weights);
    });

    it("takes checkpoints with the family's prefix and the norms' older names", async () => {
      const { prefix } = familyOf(config).checkpoint;
      const older = [...tensors].map(
        ([source, tensor]) => [prefix + olderName(source), tensor] as const,
      );
      assert.deepEqual(await load(new Map(older)), weights);
    });
  });
}

function olderName(source: string): string {
  return source
    .replace(/(LayerNorm)\.weight$/, "$1.gamma")
    .replace(/(LayerNorm)\.bias$/, "$1.beta");
}

/** What a checkpoint of the family holds, every number drawn. */
function randomTensors(config: EncoderConfig): Map<string, Weight> {
  const tensors = new Map<string, Weight>();
  for (const { source, shape, role } of familyOf(config).checkpoint.tensors(config)) {
    const random = new SeededRandom(11, tensors.size);
    const length = elementCount(shape);
    const mean = role === "gain" ? 1 : 0;
    const values = Float32Array.from({ length }, () => mean + 0.4 * random.normal());
    tensors.set(source, { shape, values });
  }
  return tensors;
}

function feedsOf(batch: readonly (readonly number[])[]): Record<string, Value> {
  const sequence = Math.max(...batch.map((ids) => ids.length));
  const values = Int32Array.from(
    batch.flatMap((ids) => [...ids, ...Array<number>(sequence - ids.length).fill(1)]),
  );
  const lengths = BigInt64Array.from(batch, (ids) => BigInt(ids.length));
  return {
    ids: { kind: "value", type: "int32", shape: [batch.length, sequence], values },
    lengths: { kind: "value", type: "int64", shape: [batch.length], values: lengths },
  };
}

interface Span {
  readonly from: number;
  readonly until: number;
}

/** The layers of the span, from `ids`, or from `states` of the span before; output `state`. */
function spanGraph(config: EncoderConfig, precision: Precision, { from, until }: Span): Graph {
  const graph = new Graph();
  const between = { ...config, shallowLayerCount: from, layerCount: until };
  const scope = { graph, config: between, precision, isDifferentiated: false };
  const { state, lengths } = shallowState(scope, from === 0 ? "ids" : "states");
  const top = upperPart(scope, { state, lengths, sequence: "sequence" });
  graph.output("state", reshape(top, ["batch", "sequence", config.hiddenSize]));
  return graph;
}

/**
 * The loss is the sum of the states, each times a number of its own. Of each weight the slope along
 * a random direction is compared with the difference quotient, both in float64.
 */
function examineGradients(config: EncoderConfig, weights: BaseWeights): void {
  const graph = new Graph();
  const scope = { graph, config, precision: "fp32", isDifferentiated: true } as const;
  const inputs = sequenceInputs(graph);
  const { lengths } = inputs;
  const state = shallowPart(scope, inputs);
  const top = upperPart(scope, { state, lengths, sequence: "sequence" });
  const factors = graph.input("factors", "float32", top.shape);
  const loss = reduceSum(mul(top, factors), [0, 1]);
  const learned = [...graph.inputs].filter(([name]) => weights.has(name));
  const slopes = gradient(
    loss,
    learned.map(([, tensor]) => tensor),
  );
  const batch = texts.slice(0, 2);
  const sequence = 5;
  const random = new SeededRandom(3, 0);
  const draw = (length: number): Float64Array =>
    Float64Array.from({ length }, () => random.normal());
  const given = new Map<string, Dense>(
    Object.entries(feedsOf(batch)).map(([name, { type, shape, values }]) => [
      name,
      { type, shape, values: Float64Array.from(values, Number) },
    ]),
  );
  const rows = [batch.length * sequence, config.hiddenSize];
  const own = draw((rows[0] ?? 0) * config.hiddenSize);
  // What stands behind a text is nobody's.
  for (let row = 0; row < (rows[0] ?? 0); row++)
    if (row % sequence >= (batch[Math.floor(row / sequence)]?.length ?? 0))
      own.fill(0, row * config.hiddenSize, (row + 1) * config.hiddenSize);
  given.set("factors", { type: "float32", shape: rows, values: own });
  for (const [name, { shape }] of learned) {
    const values = Float64Array.from(present(weights.get(name), "It is learned"), Number);
    given.set(name, { type: "float32", shape: shape.map(Number), values });
  }
  const symbols = new Map([
    ["batch", batch.length],
    ["sequence", sequence],
  ]);
  const targets = [loss, ...slopes];
  const at = (changed: ReadonlyMap<string, Dense>) =>
    evaluateGraph(graph, { inputs: changed, symbols, targets });
  const found = at(given);
  for (const [index, [name]] of learned.entries()) {
    const here = present(given.get(name), "It was given");
    const direction = draw(here.values.length);
    const slope = present(found.get(present(slopes[index], "One each")), "It is a target").values;
    const told = slope.reduce((sum, value, place) => sum + value * (direction[place] ?? 0), 0);
    const moved = (by: number): number => {
      const values = here.values.map((value, place) => value + by * (direction[place] ?? 0));
      const outcome = at(new Map(given).set(name, { ...here, values }));
      return outcome.get(loss)?.values[0] ?? NaN;
    };
    const step = 1e-5;
    const shown = (moved(step) - moved(-step)) / (2 * step);
    assert.ok(
      Math.abs(told - shown) <= 1e-5 * Math.max(1, Math.abs(shown)),
      `${name}: the gradient says ${told}, differences ${shown}`,
    );
  }
}

function assertClose(
  found: ArrayLike<number>,
  expected: ArrayLike<number>,
  tolerance: number,
): void {
  assert.equal(found.length, expected.length);
  for (let index = 0; index < found.length; index++) {
    const [a = NaN, b = NaN] = [found[index], expected[index]];
    assert.ok(Math.abs(a - b) <= tolerance, `${index}: ${a}, expected ${b}`);
  }
}
