/** The graphs of training, run: they know no runtime, so that their exam is here. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { Precision } from "../entities/base-model.ts";
import { toDense } from "../runtime/reference/dense.ts";
import { evaluateGraph } from "../runtime/reference/evaluate.ts";
import { OrtRuntime } from "../runtime/ort/ort-runtime.ts";
import { ReferenceRuntime } from "../runtime/reference/reference.ts";
import type { Runtime, Value } from "../runtime/runtime.ts";
import { evaluate } from "../tensor/dimension.ts";
import {
  inputsAmong,
  randomFloats,
  smallConfig,
  smallWeights,
} from "../checkpoints/exam-encoder.ts";
import type { StepGraph } from "../models/learning.ts";
import { tokenClasses } from "../models/task-graph.ts";
import {
  stepGraph,
  type TrainingGraphOptions,
  type TrainingMethod,
} from "../models/training-graph.ts";

const sizes = new Map([
  ["batch", 3],
  ["sequence", 4],
  ["outputs", 3],
  ["rank", 2],
  ["words", 5],
]);
const [batch = 0, sequence = 0] = sizes.values();

type Options = Omit<TrainingGraphOptions, "config">;

/** Ids below the rows of the word table that a full step reads; the second sequence is padded. */
function feedsOfBatch(step: number, { task, source }: Options): Record<string, Value> {
  const scalar = (value: number): Value => floats([], Float32Array.of(value));
  const ids = Int32Array.of(0, 1, 2, 3, 4, 2, 0, 0, 1, 3, 0, 4);
  const states = randomFloats([batch, sequence, smallConfig.hiddenSize], { stream: 78 });
  return {
    ...(source === "states"
      ? { states }
      : { ids: { kind: "value", type: "int32", shape: [batch, sequence], values: ids } }),
    lengths: { kind: "value", type: "int64", shape: [batch], values: BigInt64Array.of(4n, 2n, 4n) },
    ...(task?.unit === "token" ? tokenFeeds() : textFeeds()),
    learningRate: scalar(0.01),
    step: scalar(step),
    stepCount: scalar(10),
    warmupCount: scalar(2),
  };
}

function textFeeds(): Record<string, Value> {
  return {
    isCls: { kind: "value", type: "bool", shape: [batch], values: Uint8Array.of(0, 0, 1) },
    targets: floats([batch, 3], Float32Array.of(1, 0, 0, 0, 0.25, 0.75, 0, 0, 1)),
    exampleWeights: floats([batch], Float32Array.of(1, 0.5, 1)),
  };
}

/** The weight 0 has all padding, and some tokens: first, last, and within a word. */
function tokenFeeds(): Record<string, Value> {
  const rows = [0.25, 0.75, 0, 1, 0, 0, 0, 1, 0, 0, 0, 1];
  const weights = Float32Array.of(0, 1, 1, 0, 0, 0.5, 0, 0, 0, 1, 0, 1);
  return {
    targets: floats([batch * sequence, 3], Float32Array.from([...rows, ...rows, ...rows])),
    exampleWeights: floats([batch * sequence], weights),
  };
}

/** Learned values and AdamW's zeros; no adapter starts at the identity, to have all gradients. */
async function stateOf({ graph, state }: StepGraph, runtime: Runtime) {
  const base = await smallWeights(runtime);
  const values: Record<string, Value> = {};
  let stream = 500;
  for (const name of Object.keys(state)) {
    const shape = graph.inputs.get(name)?.shape.map((size) => evaluate(size, sizes)) ?? [];
    const isMoment = /\.(mean|square)$/.test(name);
    const known = base.get(name);
    stream += 1;
    values[name] = isMoment
      ? randomFloats(shape, { stream, deviation: 0 })
      : known instanceof Float32Array
        ? floats(shape, known.slice())
        : randomFloats(shape, { stream, deviation: 0.5 });
  }
  return values;
}

/** Rows of the word table, which a full step takes as feeds. */
function wordFeeds({ graph }: StepGraph): Record<string, Value> {
  const feeds: Record<string, Value> = {};
  for (const [name, { shape }] of graph.inputs) {
    if (!name.startsWith("embeddings.word") || !shape.includes("words")) continue;
    const deviation = name === "embeddings.word" ? 0.4 : 0;
    feeds[name] = randomFloats([5, smallConfig.hiddenSize], { stream: 77, deviation });
  }
  return feeds;
}

function floats(shape: readonly number[], values: Float32Array): Value {
  return { kind: "value", type: "float32", shape, values };
}

function optionsOf(method: TrainingMethod, precision: Precision = "fp32"): Options {
  return { precision, method, source: "ids" };
}

function loraOptions(layers: readonly number[]): Options {
  return { ...optionsOf("adapter"), adapter: { kind: "lora", layers } };
}

function tokens(options: Options): Options {
  return { ...options, task: tokenClasses };
}

/** Evaluates one step in float64 throughout; `moved` replaces inputs. */
async function evaluator(made: StepGraph, options: Options) {
  const runtime = new ReferenceRuntime();
  const all = new Map<string, Value>(
    Object.entries({
      ...feedsOfBatch(1, options),
      ...wordFeeds(made),
      ...(await stateOf(made, runtime)),
    }),
  );
  const constants = inputsAmong(made.graph, await smallWeights(runtime));
  const inputs = new Map(
    [...made.graph.inputs]
      // Weights of the base that the graph does not learn.
      .map(([name, { type, shape }]) => {
        const size = shape.map((dimension) => evaluate(dimension, sizes));
        const values = all.get(name)?.values ?? constants.get(name);
        assert.ok(values, `no value for "${name}"`);
        return [name, toDense(type, size, values)] as const;
      }),
  );
  return (output: string, name?: string, offset?: Float64Array): Float64Array => {
    const moved = new Map(inputs);
    const known = name === undefined ? undefined : inputs.get(name);
    if (name !== undefined && known !== undefined && offset !== undefined)
      moved.set(name, { ...known, values: known.values.map((v, i) => v + (offset[i] ?? 0)) });
    const tensor = made.graph.outputs.get(output);
    assert.ok(tensor, `no output "${output}"`);
    const results = evaluateGraph(made.graph, { inputs: moved, symbols: sizes, targets: [tensor] });
    const values = results.get(tensor)?.values;
    assert.ok(values);
    return values;
  };
}

/**
 * The product of `mean` with a random direction, which after one step from zero moments is
 * √(1 - β₂) times that of the clipped gradient (see `AdamState`), is compared with the central
 * difference of the loss along that direction.
 */
async function checkGradients(options: Options): Promise<void> {
  const made = stepGraph({ config: smallConfig, ...options });
  const run = await evaluator(made, options);
  const h = 1e-5;
  const pairs: { name: string; analytic: number; numeric: number }[] = [];
  let squares = 0;
  for (const [index, name] of made.learned.entries()) {
    const gradient = run(`next.${name}.mean`).map((value) => value / Math.sqrt(0.001));
    squares += gradient.reduce((sum, value) => sum + value * value, 0);
    const direction = Float64Array.from(
      randomFloats([gradient.length], { stream: 9000 + index }).values,
    );
    const [above = 0] = run(
      "loss",
      name,
      direction.map((value) => h * value),
    );
    const [below = 0] = run(
      "loss",
      name,
      direction.map((value) => -h * value),
    );
    const analytic = gradient.reduce((sum, value, i) => sum + value * (direction[i] ?? 0), 0);
    pairs.push({ name, analytic, numeric: (above - below) / (2 * h) });
  }
  // The clipped norm is min(1, norm): below 1 nothing was clipped, else all is scaled alike.
  const norm = Math.sqrt(squares);
  const clip = norm < 0.999 ? 1 : scaleOf(pairs);
  assert.ok(norm < 1 + 1e-6, `clipped norm ${norm}`);
  assert.ok(clip <= 1 + 1e-6, `clip factor ${clip}`);
  for (const { name, analytic, numeric } of pairs) {
    const difference = Math.abs(analytic / clip - numeric);
    const scale = Math.max(1, Math.abs(analytic), Math.abs(numeric));
    assert.ok(difference / scale <= 1e-5, `${name}: ${analytic / clip}, expected ${numeric}`);
  }
  const moving = pairs.filter(({ numeric }) => Math.abs(numeric) > 1e-6);
  // Key biases shift all scores of a row alike, so that their gradient is zero.
  assert.ok(moving.length >= pairs.length - smallConfig.layerCount, `${moving.length} move`);
}

/** The common factor by which clipping has scaled, from the largest gradient. */
function scaleOf(pairs: readonly { readonly analytic: number; readonly numeric: number }[]) {
  const largest = pairs.reduce((a, b) => (Math.abs(b.numeric) > Math.abs(a.numeric) ? b : a));
  return largest.analytic / largest.numeric;
}

/** Losses of three steps, and what was learned. */
async function threeSteps(runtime: Runtime, options: Options) {
  const made = stepGraph({ config: smallConfig, ...options });
  const constants = inputsAmong(made.graph, await smallWeights(runtime));
  for (const name of [...made.learned, ...Object.keys(made.state)]) constants.delete(name);
  const program = await runtime.load(made.graph, { constants, state: made.state });
  await program.write(await stateOf(made, runtime));
  const losses: number[] = [];
  for (const step of [1, 2, 3]) {
    const { loss } = await program.run({ ...feedsOfBatch(step, options), ...wordFeeds(made) });
    losses.push(Number(loss?.values[0]));
  }
  return { losses, learned: await program.read(Object.keys(made.state)) };
}

/** The loss of a step over tokens before it learns. */
async function tokenLoss(changes: {
  readonly feeds?: Readonly<Record<string, Value>>;
  readonly state?: Readonly<Record<string, Value>>;
}): Promise<number> {
  const runtime = new ReferenceRuntime();
  const options = tokens(optionsOf("adapter"));
  const made = stepGraph({ config: smallConfig, ...options });
  const constants = inputsAmong(made.graph, await smallWeights(runtime));
  const program = await runtime.load(made.graph, { constants, state: made.state });
  await program.write({ ...(await stateOf(made, runtime)), ...changes.state });
  const { loss } = await program.run({ ...feedsOfBatch(1, options), ...changes.feeds });
  return Number(loss?.values[0]);
}

describe("the loss over tokens", () => {
  it("is the weighted mean of the cross-entropies, worked out by hand", async () => {
    // All scores are the bias: probabilities are 1/2, 1/4 and 1/4.
    const loss = await tokenLoss({
      state: {
        "head.weight": floats([3, smallConfig.hiddenSize], new Float32Array(24)),
        "head.bias": floats([3], Float32Array.of(Math.log(2), 0, 0)),
      },
    });
    // The tokens that count, of each sequence: label 0 and 2; half of 0; 0 and 2.
    const sum = Math.LN2 + 2 * Math.LN2 + 0.5 * Math.LN2 + Math.LN2 + 2 * Math.LN2;
    assert.ok(Math.abs(loss - sum / 4.5) < 1e-6, `${loss}`);
  });

  it("does not depend on padding, nor on the labels of ignored tokens", async () => {
    const expected = await tokenLoss({});
    const { targets, exampleWeights, ids } = feedsOfBatch(1, tokens(optionsOf("adapter")));
    assert.ok(targets && exampleWeights && ids);
    const changed = (values: ArrayLike<number | bigint>, row: number): Float32Array => {
      const others = Float32Array.from(Array.from(values, Number));
      others.set([0.5, 0.5, 0], 3 * row);
      return others;
    };
    const relabelled = async (row: number): Promise<number> =>
      tokenLoss({ feeds: { targets: { ...targets, values: changed(targets.values, row) } } });
    // Rows 0 and 3 have the weight 0, row 1 has 1.
    for (const row of [0, 3]) assert.equal(await relabelled(row), expected);
    assert.ok(Math.abs((await relabelled(1)) - expected) > 1e-3);
    const wide = 7;
    const widened = ({ type, values }: Value, width: number): Value => {
      const all = Array.from({ length: batch * wide * width }, (_, index) => {
        const [row, column] = [Math.floor(index / (wide * width)), index % (wide * width)];
        return column < sequence * width ? Number(values[row * sequence * width + column]) : 0;
      });
      const array = type === "int32" ? Int32Array.from(all) : Float32Array.from(all);
      return { kind: "value", type, shape: [batch * wide, width], values: array };
    };
    const padded = await tokenLoss({
      feeds: {
        ids: { ...widened(ids, 1), shape: [batch, wide] },
        targets: widened(targets, 3),
        exampleWeights: { ...widened(exampleWeights, 1), shape: [batch * wide] },
      },
    });
    assert.ok(Math.abs(padded - expected) < 1e-6, `${padded}, expected ${expected}`);
  });
});

describe("a training step", () => {
  const cases: readonly (readonly [string, Options])[] = [
    ["adapter and head", optionsOf("adapter")],
    ["all weights", optionsOf("full")],
    [
      "adapter and head, of tokens, from states",
      { ...tokens(optionsOf("adapter")), source: "states" },
    ],
    ["all weights, of tokens", tokens(optionsOf("full"))],
    ["LoRA and head, in the upper layers", loraOptions([1, 2])],
    ["LoRA and head, in all layers", loraOptions([0, 1, 2])],
  ];

  for (const [name, options] of cases)
    it(`has the gradients of finite differences: ${name}`, () => checkGradients(options));

  for (const [name, options] of cases)
    it(`learns on ONNX Runtime what it learns on the reference: ${name}`, async () => {
      const ort = new OrtRuntime({ threadCount: 1, spinUs: 0 });
      const actual = await threeSteps(ort, options);
      await ort.close();
      const expected = await threeSteps(new ReferenceRuntime(), options);
      for (const [index, loss] of actual.losses.entries())
        assert.ok(
          Math.abs(loss - (expected.losses[index] ?? NaN)) <= 1e-4,
          actual.losses.join(" "),
        );
      assert.deepEqual(Object.keys(actual.learned), Object.keys(expected.learned));
      for (const [key, { values }] of Object.entries(actual.learned)) {
        // AdamW divides by the gradient's size, so that a gradient of zero moves by its rounding.
        if (key.endsWith(".key.bias")) continue;
        const others = expected.learned[key]?.values ?? [];
        for (const [index, value] of values.entries()) {
          const difference = Math.abs(Number(value) - Number(others[index]));
          assert.ok(difference <= 1e-4, `${key}[${index}]: ${difference}`);
        }
      }
    });

  it("lowers the loss of the batch it learns from, over an int8 base too", async () => {
    const ort = new OrtRuntime({ threadCount: 1, spinUs: 0 });
    const { losses } = await threeSteps(ort, optionsOf("adapter", "int8"));
    await ort.close();
    const [first = 0, , third = 0] = losses;
    assert.ok(third < first, losses.join(" "));
  });
});
