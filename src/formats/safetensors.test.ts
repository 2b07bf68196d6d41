import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { elementCount } from "../foundation/element-count.ts";
import { StrataError } from "../foundation/errors.ts";
import { decodeSafetensors, encodeSafetensors } from "./safetensors.ts";

const shapes = fc.array(fc.integer({ min: 0, max: 4 }), { maxLength: 4 });
const tensor = shapes.chain((shape) => {
  const count = elementCount(shape);
  return fc
    .float32Array({ minLength: count, maxLength: count })
    .map((values) => ({ shape, values }));
});
const names = fc.string({ unit: "binary" }).filter((name) => name !== "__metadata__");
const files = fc.array(fc.tuple(names, tensor), { maxLength: 6 }).map((list) => new Map(list));
const metadata = fc.dictionary(fc.string(), fc.string(), { maxKeys: 3, noNullPrototype: true });

describe("safetensors", () => {
  it("gives back every tensor and the metadata that were written", () => {
    fc.assert(
      fc.property(files, metadata, (tensors, labels) => {
        const file = decodeSafetensors(encodeSafetensors(tensors, { metadata: labels }));
        assert.deepEqual(file.metadata, labels);
        assert.deepEqual(new Set(file.names), new Set(tensors.keys()));
        for (const [name, expected] of tensors) assert.deepEqual(file.tensor(name), expected);
      }),
    );
  });

  it("writes the same bytes whatever the order of the tensors", () => {
    fc.assert(
      fc.property(files, (tensors) => {
        const reversed = new Map([...tensors].reverse());
        assert.deepEqual(encodeSafetensors(reversed), encodeSafetensors(tensors));
      }),
    );
  });

  it("writes halves on request, the nearest to each value", () => {
    const values = Float32Array.of(1, -0.1, 65504, 2 ** -24, 1e-9);
    const bytes = encodeSafetensors(new Map([["a", { shape: [5], values, dtype: "F16" }]]));
    const file = decodeSafetensors(bytes);
    const nearest = Float32Array.of(1, -0.0999755859375, 65504, 2 ** -24, 0);
    assert.deepEqual(file.tensor("a"), { shape: [5], values: nearest });
  });

  it("begins the tensors at a multiple of 8 bytes and does not copy them", () => {
    const bytes = encodeSafetensors(
      new Map([["a", { shape: [2], values: Float32Array.of(1, 2) }]]),
    );
    assert.equal((bytes.length - 8) % 8, 0);
    assert.equal(decodeSafetensors(bytes).tensor("a").values.buffer, bytes.buffer);
  });

  it("reads an unaligned file", () => {
    const bytes = encodeSafetensors(
      new Map([["a", { shape: [2], values: Float32Array.of(1, 2) }]]),
    );
    const shifted = new Uint8Array(bytes.length + 1);
    shifted.set(bytes, 1);
    const { values } = decodeSafetensors(shifted.subarray(1)).tensor("a");
    assert.deepEqual(values, Float32Array.of(1, 2));
  });

  it("converts each number format to float32", () => {
    const cases: [string, number[], number[]][] = [
      ["F64", [0, 0, 0, 0, 0, 0, 0xf8, 0xbf], [-1.5]],
      ["F32", [0, 0, 0x80, 0x3f], [1]],
      ["F16", [0x00, 0x3c, 0x00, 0xc0, 0x01, 0x00, 0x00, 0x7c], [1, -2, 2 ** -24, Infinity]],
      ["F16", [0xff, 0x7b, 0x00, 0x04], [65504, 2 ** -14]],
      ["BF16", [0x80, 0x3f, 0x20, 0xc0], [1, -2.5]],
      ["I64", [0xfe, 255, 255, 255, 255, 255, 255, 255], [-2]],
      ["U64", [0, 0, 0, 0, 1, 0, 0, 0], [2 ** 32]],
      ["I32", [0xff, 255, 255, 255], [-1]],
      ["U32", [0, 0, 0, 0x80], [2 ** 31]],
      ["I16", [0, 0x80], [-32768]],
      ["U16", [0, 0x80], [32768]],
      ["I8", [0x80, 1], [-128, 1]],
      ["U8", [0x80, 1], [128, 1]],
      ["BOOL", [0, 1], [0, 1]],
    ];
    for (const [dtype, data, expected] of cases) {
      const header = { x: { dtype, shape: [expected.length], data_offsets: [0, data.length] } };
      const { values } = decodeSafetensors(fileOf(JSON.stringify(header), data)).tensor("x");
      assert.deepEqual(values, Float32Array.from(expected), dtype);
    }
  });

  const four = '"dtype":"F32","shape":[1],"data_offsets"';
  const faults: [string, Uint8Array, RegExp][] = [
    ["an empty file", new Uint8Array(0), /8 bytes of length/],
    ["a header beyond the end", Uint8Array.of(9, 0, 0, 0, 0, 0, 0, 0, 123), /at most 1 bytes/],
    ["a huge header", new Uint8Array(16).fill(255), /at most 8 bytes/],
    ["no JSON", fileOf("{", []), /Cannot read safetensors header/],
    ["an array", fileOf("[]", []), /JSON object/],
    ["bytes that are not UTF-8", fileOf("\ud800{}", []).fill(0xff, 8, 9), /header/],
    ["a duplicate name", fileOf(`{"a":{${four}:[0,4]},"\\u0061" :{${four}:[0,4]}}`, 4), /twice/],
    ["a duplicate key", fileOf(`{"a":{"shape":[2],${four}:[0,4]}}`, 4), /"shape" twice/],
    ["an overlap", fileOf(`{"a":{${four}:[0,4]},"b":{${four}:[0,4]}}`, 4), /begin at byte 4/],
    ["a hole", fileOf(`{"a":{${four}:[4,8]}}`, 8), /begin at byte 0/],
    ["bytes that no tensor has", fileOf(`{"a":{${four}:[0,4]}}`, 5), /expected 4 bytes/],
    ["a tensor beyond the end", fileOf(`{"a":{${four}:[0,4]}}`, 3), /expected 4 bytes/],
    ["a size that is not its shape's", fileOf(`{"a":{${four}:[0,8]}}`, 8), /take 4 bytes/],
    ["a negative offset", fileOf(`{"a":{${four}:[-4,0]}}`, 0), /data_offsets/],
    ["a third offset", fileOf(`{"a":{${four}:[0,4,4]}}`, 4), /data_offsets/],
    ["a fraction as a size", fileOf('{"a":{"dtype":"F32","shape":[0.5]}}', 0), /shape/],
    ["an unknown type", fileOf('{"a":{"dtype":"toString","shape":[]}}', 0), /dtype/],
    ["a shape that nests deeply", fileOf(nested(100_000), 0), /shape/],
    ["metadata that is no text", fileOf('{"__metadata__":{"a":1}}', 0), /metadata "a"/],
  ];
  for (const [what, bytes, message] of faults) {
    it(`refuses ${what}`, () => {
      assert.throws(() => decodeSafetensors(bytes), {
        name: "StrataError",
        code: "CORRUPT",
        message,
      });
    });
  }

  it("answers any change of the header with valid ranges or CORRUPT", () => {
    const change = fc.record({ at: fc.nat(), byte: fc.integer({ min: 0, max: 255 }) });
    fc.assert(
      fc.property(files, fc.array(change, { minLength: 1, maxLength: 3 }), (tensors, changes) => {
        const bytes = encodeSafetensors(tensors);
        const dataBytes = [...tensors.values()].reduce((sum, t) => sum + t.values.byteLength, 0);
        for (const { at, byte } of changes) bytes[at % (bytes.length - dataBytes)] = byte;
        expectSound(bytes);
      }),
      { numRuns: 2_000 },
    );
  });

  it("answers any cut of the file with CORRUPT", () => {
    fc.assert(
      fc.property(files, fc.nat(), (tensors, at) => {
        const bytes = encodeSafetensors(tensors);
        const cut = bytes.subarray(0, at % bytes.length);
        assert.throws(() => decodeSafetensors(cut), { code: "CORRUPT" });
      }),
    );
  });

  it("names the tensor that is not there", () => {
    const file = decodeSafetensors(encodeSafetensors(new Map()));
    assert.throws(() => file.tensor("a"), { code: "NOT_FOUND", message: /"a"/ });
  });
});

function expectSound(bytes: Uint8Array): void {
  let file;
  try {
    file = decodeSafetensors(bytes);
  } catch (error) {
    assert.ok(error instanceof StrataError && error.code === "CORRUPT", String(error));
    return;
  }
  for (const name of file.names) {
    const { shape, values } = file.tensor(name);
    const count = elementCount(shape);
    assert.equal(values.length, count);
  }
}

function fileOf(header: string, data: number | readonly number[]): Uint8Array<ArrayBuffer> {
  const json = new TextEncoder().encode(header);
  const values = typeof data === "number" ? new Uint8Array(data) : Uint8Array.from(data);
  const file = new Uint8Array(8 + json.length + values.length);
  new DataView(file.buffer).setBigUint64(0, BigInt(json.length), true);
  file.set(json, 8);
  file.set(values, 8 + json.length);
  return file;
}

function nested(depth: number): string {
  const list = "[".repeat(depth) + "]".repeat(depth);
  return `{"a":{"dtype":"F32","shape":${list},"data_offsets":[0,0]}}`;
}
