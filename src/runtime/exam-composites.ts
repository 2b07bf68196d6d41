/** What a runtime is examined in beyond single operators: losses, optimisers and a transformer. */
import { multiply } from "../tensor/dimension.ts";
import { add, gelu } from "../tensor/operators/elementwise.ts";
import { linear } from "../tensor/operators/matmul.ts";
import {
  attention,
  crossEntropy,
  l2Normalize,
  layerNorm,
  maskedMean,
  maskedSoftmax,
  oneHot,
} from "../tensor/operators/neural.ts";
import { gather, reshape } from "../tensor/operators/shape.ts";
import { adamW, clipScale, linearSchedule } from "../tensor/optimizer.ts";
import type { Tensor } from "../tensor/tensor.ts";
import { integers, normal, positive, type Sheet } from "./exam-sheet.ts";
import type { Exercise } from "./exam-operators.ts";

export const compositeExercises: readonly Exercise[] = [
  {
    name: "maskedSoftmax",
    build(sheet) {
      const mask = sheet.input("bool", sheet.operands[1], integers(0, 1));
      return [maskedSoftmax(sheet.parameter(sheet.shape), mask)];
    },
  },
  {
    name: "two frozen wide layers with gelu between",
    build(sheet) {
      const frozen = (size: number): Tensor => sheet.input("float32", [size], small);
      const weight = (...shape: [number, number]): Tensor =>
        sheet.input("float32", shape, (...drawn) => small(...drawn).map((value) => value / 20));
      const x = sheet.parameter([sheet.dimension("rows"), 2]);
      const inner = gelu(linear(x, weight(2, 1536), frozen(1536)));
      return [linear(inner, weight(1536, 3), frozen(3))];
    },
  },
  {
    name: "crossEntropy",
    build(sheet) {
      const shape = [sheet.dimension("batch"), sheet.dimension("classes")];
      return [crossEntropy(sheet.parameter(shape), sheet.parameter(shape, positive))];
    },
  },
  {
    name: "l2Normalize",
    build: (sheet) => [l2Normalize(sheet.parameter(sheet.shape, positive))],
  },
  {
    name: "maskedMean",
    build(sheet) {
      const shape = [sheet.dimension("batch"), sheet.dimension("sequence"), sheet.dimension("n")];
      const lengths = sheet.input("int64", shape.slice(0, 1), integers(0, 8));
      return [maskedMean(sheet.parameter(shape), lengths)];
    },
  },
  {
    name: "oneHot",
    build(sheet) {
      const depth = 1 + sheet.random.integer(7);
      const labels = sheet.input("int64", sheet.shape, integers(-1, depth));
      return [oneHot(labels, depth)];
    },
  },
  {
    name: "adamW",
    build(sheet) {
      const [parameter, gradient, mean] = [0, 1, 2].map(() => sheet.parameter(sheet.shape));
      const square = sheet.parameter(sheet.shape, positive);
      if (parameter === undefined || gradient === undefined || mean === undefined) return [];
      const updated = adamW(
        parameter,
        { gradient, mean, square },
        {
          learningRate: sheet.input("float32", [], () => [0.01]),
          step: sheet.input("float32", [], integers(1, 20)),
          weightDecay: sheet.coin() ? 0 : 0.1,
        },
      );
      return [updated.parameter, updated.mean, updated.square];
    },
  },
  {
    name: "clipScale",
    build(sheet) {
      const gradients = sheet.operands.map((shape) => sheet.parameter(shape));
      return [clipScale(gradients, sheet.coin() ? 0.5 : 1000)];
    },
  },
  {
    name: "linearSchedule",
    build(sheet) {
      const scalar = (value: number): Tensor => sheet.input("float32", [], () => [value]);
      // Between whole steps, because the schedule bends where the warm-up and the steps end.
      const step = sheet.parameter([], () => [sheet.random.integer(24) + 0.5]);
      const counts = { stepCount: scalar(20), warmupCount: scalar(sheet.coin() ? 0 : 5) };
      return [linearSchedule(step, { peak: sheet.parameter([]), ...counts })];
    },
  },
  { name: "a transformer of two layers", build: buildTransformer },
];

const hidden = 8;
const epsilon = 1e-5;

function buildTransformer(sheet: Sheet): readonly Tensor[] {
  const batch = sheet.symbol("batch", 1 + sheet.random.integer(3));
  const sequenceLength = 1 + sheet.random.integer(5);
  const sequence = sheet.symbol("sequence", sequenceLength);
  const ids = sheet.input("int64", [batch, sequence], integers(0, 4));
  const lengths = sheet.input("int64", [batch], integers(1, sequenceLength));
  const labels = sheet.input("int64", [batch], integers(0, 2));
  let x = gather(sheet.parameter([5, hidden]), ids);
  for (let layer = 0; layer < 2; layer++) {
    const [query, key, value] = [0, 1, 2].map(() => project(sheet, x, [hidden, hidden]));
    if (query === undefined || key === undefined || value === undefined) return [];
    const mixed = attention({ query, key, value, lengths, headCount: 2 });
    x = normalize(sheet, add(x, project(sheet, mixed, [hidden, hidden])));
    const inner = gelu(project(sheet, x, [hidden, 12]));
    x = normalize(sheet, add(x, project(sheet, inner, [12, hidden])));
  }
  const pooled = maskedMean(x, lengths);
  const logits = linear(pooled, sheet.parameter([hidden, 3], small), sheet.parameter([3]));
  return [x, l2Normalize(pooled), crossEntropy(logits, oneHot(labels, 3))];
}

function project(sheet: Sheet, x: Tensor, [inner, outer]: readonly [number, number]): Tensor {
  const [batch = 0, sequence = 0] = x.shape;
  const rows = reshape(x, [multiply(batch, sequence), inner]);
  const y = linear(rows, sheet.parameter([inner, outer], small), sheet.parameter([outer], small));
  return reshape(y, [batch, sequence, outer]);
}

function normalize(sheet: Sheet, x: Tensor): Tensor {
  const gain = sheet.parameter([hidden], positive);
  return layerNorm(x, { gain, bias: sheet.parameter([hidden], small), epsilon });
}

function small(...[shape, random]: Parameters<typeof normal>): readonly number[] {
  return normal(shape, random).map((x) => x / 3);
}
