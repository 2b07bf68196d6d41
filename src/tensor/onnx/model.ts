/**
 * ONNX models as bytes. Messages are written with protobuf's wire format by the field numbers of
 * onnx.proto (ONNX 1.20, IR version 11); the handful that is needed here is all there is.
 */
import { BinaryWriter, WireType } from "@bufbuild/protobuf/wire";
import type { Dimension } from "../dimension.ts";
import type { DataType, TensorType, TypedValues } from "../tensor.ts";

export interface OnnxNode {
  readonly operator: string;
  /** "" for the standard operators, `com.microsoft` for ONNX Runtime's own. */
  readonly domain: string;
  /** An absent optional input or an unused output is "". */
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
  readonly attributes: Readonly<Record<string, OnnxAttribute>>;
}

export type OnnxAttribute =
  | { readonly int: number }
  | { readonly float: number }
  | { readonly string: string }
  | { readonly ints: readonly number[] }
  | { readonly graph: OnnxGraph };

export interface OnnxInitializer {
  readonly type: DataType;
  readonly shape: readonly number[];
  readonly values: TypedValues;
}

export interface OnnxGraph {
  readonly nodes: readonly OnnxNode[];
  readonly inputs: ReadonlyMap<string, TensorType>;
  readonly outputs: ReadonlyMap<string, TensorType>;
  readonly initializers: ReadonlyMap<string, OnnxInitializer>;
}

/** The domain of ONNX Runtime's own operators. */
export const microsoft = "com.microsoft";

const irVersion = 11;
const standardOpset = 24;

/** Numbers of TensorProto.DataType. */
export const onnxTypes: Readonly<Record<DataType, number>> = {
  float32: 1,
  uint8: 2,
  int8: 3,
  int32: 6,
  int64: 7,
  bool: 9,
};

/** Numbers of AttributeProto.AttributeType. */
const attributeTypes = { float: 1, int: 2, string: 3, graph: 5, ints: 7 } as const;

type Write = (writer: BinaryWriter) => void;

/** The model, to which `withInitializers` may add further ones. */
export function encodeModel(graph: OnnxGraph): Uint8Array {
  const writer = new BinaryWriter();
  writer.tag(1, WireType.Varint).int64(irVersion);
  writer.tag(2, WireType.LengthDelimited).string("strata");
  message(writer, 7, (graphWriter) => writeGraph(graphWriter, graph));
  for (const [domain, version] of [
    ["", standardOpset],
    [microsoft, 1],
  ] as const)
    message(writer, 8, (opset) => {
      opset.tag(1, WireType.LengthDelimited).string(domain);
      opset.tag(2, WireType.Varint).int64(version);
    });
  return writer.finish();
}

/** The model with these initializers too: where messages stand twice, protobuf joins them. */
export function withInitializers(
  model: Uint8Array,
  initializers: OnnxGraph["initializers"],
): Uint8Array {
  const writer = new BinaryWriter().raw(model);
  message(writer, 7, (graphWriter) => writeInitializers(graphWriter, initializers));
  return writer.finish();
}

/** The model with an output of this name, an empty sequence, in front of all others. */
export function withSequence(model: Uint8Array, name: string): Uint8Array {
  const writer = new BinaryWriter();
  const node = { operator: "SequenceEmpty", domain: "", inputs: [], outputs: [name] };
  message(writer, 7, (graph) => {
    message(graph, 1, (child) => writeNode(child, { ...node, attributes: {} }));
    message(graph, 12, (child) => writeSequence(child, name));
  });
  return writer.raw(model).finish();
}

function writeGraph(writer: BinaryWriter, graph: OnnxGraph): void {
  for (const node of graph.nodes) message(writer, 1, (child) => writeNode(child, node));
  text(writer, 2, "graph");
  writeInitializers(writer, graph.initializers);
  for (const [name, value] of graph.inputs)
    message(writer, 11, (child) => writeValue(child, name, value));
  for (const [name, value] of graph.outputs)
    message(writer, 12, (child) => writeValue(child, name, value));
}

function writeInitializers(writer: BinaryWriter, values: OnnxGraph["initializers"]): void {
  for (const [name, value] of values)
    message(writer, 5, (child) => writeInitializer(child, name, value));
}

function writeNode(writer: BinaryWriter, node: OnnxNode): void {
  for (const input of node.inputs) text(writer, 1, input);
  for (const output of node.outputs) text(writer, 2, output);
  text(writer, 4, node.operator);
  for (const [name, value] of Object.entries(node.attributes))
    message(writer, 5, (child) => writeAttribute(child, name, value));
  if (node.domain !== "") text(writer, 7, node.domain);
}

function writeAttribute(writer: BinaryWriter, name: string, value: OnnxAttribute): void {
  text(writer, 1, name);
  if ("float" in value) writer.tag(2, WireType.Bit32).float(value.float);
  else if ("int" in value) writer.tag(3, WireType.Varint).int64(value.int);
  else if ("string" in value) text(writer, 4, value.string);
  else if ("graph" in value) message(writer, 6, (child) => writeGraph(child, value.graph));
  else for (const item of value.ints) writer.tag(8, WireType.Varint).int64(item);
  writer.tag(20, WireType.Varint).int32(attributeType(value));
}

function attributeType(value: OnnxAttribute): number {
  if ("float" in value) return attributeTypes.float;
  if ("int" in value) return attributeTypes.int;
  if ("graph" in value) return attributeTypes.graph;
  return "string" in value ? attributeTypes.string : attributeTypes.ints;
}

function writeInitializer(writer: BinaryWriter, name: string, value: OnnxInitializer): void {
  for (const size of value.shape) writer.tag(1, WireType.Varint).int64(size);
  writer.tag(2, WireType.Varint).int32(onnxTypes[value.type]);
  text(writer, 8, name);
  const { buffer, byteOffset, byteLength } = value.values;
  writer.tag(9, WireType.LengthDelimited).bytes(new Uint8Array(buffer, byteOffset, byteLength));
}

function writeValue(writer: BinaryWriter, name: string, { type, shape }: TensorType): void {
  text(writer, 1, name);
  message(writer, 2, (typeWriter) =>
    message(typeWriter, 1, (tensor) => {
      tensor.tag(1, WireType.Varint).int32(onnxTypes[type]);
      message(tensor, 2, (shapeWriter) => {
        for (const dimension of shape)
          message(shapeWriter, 1, (child) => writeDimension(child, dimension));
      });
    }),
  );
}

function writeSequence(writer: BinaryWriter, name: string): void {
  text(writer, 1, name);
  message(writer, 2, (type) =>
    message(type, 4, (sequence) =>
      message(sequence, 1, (element) =>
        message(element, 1, (tensor) => tensor.tag(1, WireType.Varint).int32(onnxTypes.float32)),
      ),
    ),
  );
}

function writeDimension(writer: BinaryWriter, dimension: Dimension): void {
  if (typeof dimension === "number") writer.tag(1, WireType.Varint).int64(dimension);
  else text(writer, 2, dimension);
}

function message(writer: BinaryWriter, field: number, write: Write): void {
  writer.tag(field, WireType.LengthDelimited).fork();
  write(writer);
  writer.join();
}

function text(writer: BinaryWriter, field: number, value: string): void {
  writer.tag(field, WireType.LengthDelimited).string(value);
}
