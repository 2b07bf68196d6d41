/** Operators that move elements without changing them, and the sums that undo broadcasting. */
import {
  add as plus,
  broadcast,
  type Dimension,
  elementCount,
  isSameShape,
  multiply,
  type Shape,
  showShape,
} from "../dimension.ts";
import {
  type Attributes,
  describe,
  first,
  type Graph,
  only,
  type Operator,
  pair,
  reject,
  type Tensor,
  type TensorType,
  triple,
} from "../tensor.ts";

const reshapeOperator: Operator = {
  name: "reshape",
  infer(inputs, attributes) {
    const x = first(inputs);
    const shape = shapeOf(attributes);
    if (elementCount(shape) !== elementCount(x.shape))
      throw reject("reshape", `${describe(x)} does not fill ${showShape(shape)}`);
    return [{ type: x.type, shape }];
  },
  gradient: (node, [dy]) => [dy && reshape(dy, first(node.inputs).shape)],
};

/** The same elements in another shape of equal size. */
export function reshape(x: Tensor, shape: Shape): Tensor {
  if (isSameShape(x.shape, shape)) return x;
  return only(x.node.graph.apply(reshapeOperator, [x], { shape }));
}

const transposeOperator: Operator = {
  name: "transpose",
  infer(inputs, attributes) {
    const x = first(inputs);
    const order = axesOf(attributes);
    if (order.toSorted((a, b) => a - b).join() !== x.shape.map((_, axis) => axis).join())
      throw reject("transpose", `order [${order.join(", ")}] does not permute ${describe(x)}`);
    return [{ type: x.type, shape: order.map((axis) => at(x.shape, axis)) }];
  },
  gradient(node, [dy]) {
    const order = axesOf(node.attributes);
    const back = order.map((_, axis) => order.indexOf(axis));
    return [dy && transpose(dy, back)];
  },
};

/** Axis i of the result is axis `order[i]` of `x`. */
export function transpose(x: Tensor, order: readonly number[]): Tensor {
  return only(x.node.graph.apply(transposeOperator, [x], { axes: order }));
}

const broadcastOperator: Operator = {
  name: "broadcastTo",
  infer(inputs, attributes) {
    const x = first(inputs);
    const shape = shapeOf(attributes);
    const joined = broadcast(x.shape, shape);
    if (joined === undefined || !isSameShape(joined, shape))
      throw reject("broadcastTo", `${describe(x)} does not broadcast to ${showShape(shape)}`);
    return [{ type: x.type, shape }];
  },
  gradient: (node, [dy]) => [dy && sumTo(dy, first(node.inputs).shape)],
};

/** Repeats `x` along axes of size 1 and new leading axes. */
export function broadcastTo(x: Tensor, shape: Shape): Tensor {
  if (isSameShape(x.shape, shape)) return x;
  return only(x.node.graph.apply(broadcastOperator, [x], { shape }));
}

export interface Slice {
  readonly axis: number;
  /** First index. */
  readonly start: number;
  /** Index after the last one; it must lie within the axis. */
  readonly end: number;
}

const sliceOperator: Operator = {
  name: "slice",
  infer(inputs, attributes) {
    const x = first(inputs);
    const { axis, start, end } = sliceOf(attributes);
    const size = x.shape[axis] ?? 0;
    if (start < 0 || end <= start || (typeof size === "number" && end > size))
      throw reject("slice", `${start} to ${end} is outside axis ${axis} of ${describe(x)}`);
    return [{ type: x.type, shape: replaced(x.shape, axis, end - start) }];
  },
  gradient(node, [dy]) {
    if (dy === undefined) return [];
    const x = first(node.inputs);
    const { axis, start, end } = sliceOf(node.attributes);
    const after = plus(at(x.shape, axis), -end);
    const zeros = (size: Dimension): Tensor[] =>
      size === 0 ? [] : [zerosOf(dy.node.graph, replaced(x.shape, axis, size))];
    return [concat([...zeros(start), dy, ...zeros(after)], axis)];
  },
};

/** A range along one axis. */
export function slice(x: Tensor, { axis, start, end }: Slice): Tensor {
  return only(x.node.graph.apply(sliceOperator, [x], { axis, start, end }));
}

const concatOperator: Operator = {
  name: "concat",
  infer(inputs, attributes) {
    const x = first(inputs);
    const axis = numberOf(attributes, "axis");
    const others = ({ shape }: TensorType): Shape => replaced(shape, axis, 0);
    for (const other of inputs)
      if (other.type !== x.type || !isSameShape(others(other), others(x)))
        throw reject("concat", `got ${describe(x)} and ${describe(other)} along axis ${axis}`);
    const size = inputs.reduce<Dimension>((sum, { shape }) => plus(sum, at(shape, axis)), 0);
    return [{ type: x.type, shape: replaced(x.shape, axis, size) }];
  },
  gradient(node, [dy]) {
    const axis = numberOf(node.attributes, "axis");
    const sizes = node.inputs.map(({ shape }) => at(shape, axis));
    return dy === undefined ? [] : split(dy, sizes, axis);
  },
};

/** Joins tensors that differ only along `axis`. */
export function concat(tensors: readonly Tensor[], axis: number): Tensor {
  const x = first(tensors);
  return tensors.length === 1 ? x : only(x.node.graph.apply(concatOperator, tensors, { axis }));
}

const splitOperator: Operator = {
  name: "split",
  infer(inputs, attributes) {
    const x = first(inputs);
    const axis = numberOf(attributes, "axis");
    const sizes = sizesOf(attributes);
    if (sizes.reduce<Dimension>(plus, 0) !== at(x.shape, axis))
      throw reject("split", `${showShape(sizes)} do not fill axis ${axis} of ${describe(x)}`);
    return sizes.map((size) => ({ type: x.type, shape: replaced(x.shape, axis, size) }));
  },
  gradient(node, gradients) {
    const parts = node.outputs.map(
      ({ shape }, index) => gradients[index] ?? zerosOf(node.graph, shape),
    );
    return [concat(parts, numberOf(node.attributes, "axis"))];
  },
};

/** Parts of these sizes along `axis`, one after another: what `concat` has joined. */
export function split(x: Tensor, sizes: readonly Dimension[], axis: number): readonly Tensor[] {
  if (sizes.length === 1) return [x];
  return x.node.graph.apply(splitOperator, [x], { axis, sizes }).outputs;
}

const sumOperator: Operator = {
  name: "reduceSum",
  infer: (inputs, attributes) => [
    { type: first(inputs).type, shape: reduced("reduceSum", first(inputs), attributes) },
  ],
  gradient: (node, [dy]) => [dy && unreduce(dy, node.attributes, first(node.inputs).shape)],
};

/** Sum over `axes`, which stay as size 1 if `keepDimensions`. */
export function reduceSum(x: Tensor, axes: readonly number[], keepDimensions = false): Tensor {
  if (axes.length === 0) return x;
  return only(x.node.graph.apply(sumOperator, [x], { axes, keepDimensions }));
}

/** Sums `x` over the axes along which `shape` would be broadcast to it. */
export function sumTo(x: Tensor, shape: Shape): Tensor {
  const extra = x.shape.length - shape.length;
  const axes = x.shape.flatMap((dimension, axis) =>
    axis < extra || (shape[axis - extra] === 1 && dimension !== 1) ? [axis] : [],
  );
  return reshape(reduceSum(x, axes, true), shape);
}

const gatherOperator: Operator = {
  name: "gather",
  infer(inputs) {
    const [table, indices] = pair("gather", inputs);
    if (indices.type !== "int64" && indices.type !== "int32")
      throw reject("gather", `indices are ${describe(indices)}`);
    return [{ type: table.type, shape: [...indices.shape, ...table.shape.slice(1)] }];
  },
  gradient(node, [dy]) {
    const [table, indices] = pair("gather", node.inputs);
    if (dy === undefined) return [];
    return [scatterAdd(zerosOf(dy.node.graph, table.shape), indices, dy)];
  },
};

/** Rows of `table [rows, …]` at `indices` (int32 or int64, any shape, 0 ≤ index < rows). */
export function gather(table: Tensor, indices: Tensor): Tensor {
  return only(table.node.graph.apply(gatherOperator, [table, indices]));
}

const scatterAddOperator: Operator = {
  name: "scatterAdd",
  infer(inputs) {
    const [table, indices, updates] = triple("scatterAdd", inputs);
    const wanted = [...indices.shape, ...table.shape.slice(1)];
    if (updates.type !== table.type || !isSameShape(updates.shape, wanted))
      throw reject(
        "scatterAdd",
        `${describe(updates)} is not ${showShape(wanted)} of ${describe(table)}`,
      );
    return [{ type: table.type, shape: table.shape }];
  },
  gradient(node, [dy]) {
    const [, indices] = pair("scatterAdd", node.inputs);
    return dy === undefined ? [] : [dy, undefined, gather(dy, indices)];
  },
};

/** `table` with `updates` added to the rows at `indices`; an index may come several times. */
export function scatterAdd(table: Tensor, indices: Tensor, updates: Tensor): Tensor {
  return only(table.node.graph.apply(scatterAddOperator, [table, indices, updates]));
}

const sizeOperator: Operator = {
  name: "size",
  infer: () => [{ type: "float32", shape: [] }],
  gradient: () => [],
};

/** The value of a dimension at run time, as a float32 scalar. */
export function sizeOf(graph: Graph, dimension: Dimension): Tensor {
  if (typeof dimension === "number") return graph.scalar(dimension);
  return only(graph.apply(sizeOperator, [], { shape: [dimension] }));
}

export function zerosOf(graph: Graph, shape: Shape): Tensor {
  return broadcastTo(graph.scalar(0), shape);
}

/** Repeats the gradient of a reduction along the axes that the reduction removed. */
export function unreduce(dy: Tensor, attributes: Attributes, shape: Shape): Tensor {
  const axes = axesOf(attributes);
  const kept = shape.map((dimension, axis) => (axes.includes(axis) ? 1 : dimension));
  return broadcastTo(reshape(dy, kept), shape);
}

/** The shape after a reduction over `attributes.axes`. */
export function reduced(name: string, x: TensorType, attributes: Attributes): Shape {
  const { shape } = x;
  const axes = axesOf(attributes);
  if (axes.some((axis) => axis < 0 || axis >= shape.length))
    throw reject(name, `axes [${axes.join(", ")}] are outside ${describe(x)}`);
  if (attributes["keepDimensions"] === true)
    return shape.map((dimension, axis) => (axes.includes(axis) ? 1 : dimension));
  return shape.filter((_, axis) => !axes.includes(axis));
}

/** The product of the reduced dimensions. */
export function reducedCount(x: Tensor, axes: readonly number[]): Dimension {
  return axes.reduce<Dimension>((count, axis) => multiply(count, at(x.shape, axis)), 1);
}

export function axesOf(attributes: Attributes): readonly number[] {
  return attributes["axes"] as readonly number[]; // set by the operator's own maker
}

export function at(shape: Shape, axis: number): Dimension {
  const dimension = shape[axis];
  if (dimension === undefined) throw reject("node", `no axis ${axis} in ${showShape(shape)}`);
  return dimension;
}

function replaced(shape: Shape, axis: number, dimension: Dimension): Shape {
  at(shape, axis);
  return shape.with(axis, dimension);
}

function shapeOf(attributes: Attributes): Shape {
  return attributes["shape"] as Shape; // set by the operator's own maker
}

/** The sizes of the parts of a `split`. */
export function sizesOf(attributes: Attributes): Shape {
  return attributes["sizes"] as Shape; // set by `split`
}

function sliceOf(attributes: Attributes): Slice {
  return attributes as unknown as Slice; // set by `slice`
}

function numberOf(attributes: Attributes, name: string): number {
  return attributes[name] as number; // set by the operator's own maker
}
