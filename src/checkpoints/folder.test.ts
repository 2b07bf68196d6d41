import assert from "node:assert/strict";
import { mkdtemp, mkdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { after, before, describe, it } from "node:test";
import type { Weight } from "../entities/weights.ts";
import type { StoredTensor } from "../formats/formats.ts";
import { encodeSafetensors } from "../formats/safetensors.ts";
import { present } from "../foundation/assert.ts";
import type { Checkpoint } from "./checkpoints.ts";
import { openCheckpoint } from "./folder.ts";
import { tinyCheckpoint, tinyConfig, tinyVocabulary, tinyWeights } from "./exam-tiny-checkpoint.ts";

const pooling = { pooling_mode_cls_token: true, pooling_mode_mean_tokens: false };

type Files = Record<string, string | Uint8Array>;

let folder = "";
before(async () => {
  folder = await mkdtemp(join(tmpdir(), "strata-folder-"));
});
after(() => rm(folder, { recursive: true }));

const whole: Files = tinyCheckpoint();

let made = 0;
async function checkpoint(files: Files): Promise<string> {
  const path = join(folder, String(made++));
  await mkdir(path);
  for (const [name, content] of Object.entries(files)) {
    await mkdir(dirname(join(path, name)), { recursive: true });
    await writeFile(join(path, name), content);
  }
  return path;
}

async function tensorsOf(opened: Checkpoint): Promise<Map<string, Weight>> {
  const tensors = new Map<string, Weight>();
  for await (const [name, tensor] of opened.tensors()) tensors.set(name, tensor);
  return tensors;
}

/** The weights with bytes for the floats of one tensor. */
function withBytes(name: string): Uint8Array {
  const tensors = new Map<string, StoredTensor>(tinyWeights());
  const { shape, values } = present(tensors.get(name), "one of the tiny weights");
  tensors.set(name, { shape, values: new Int8Array(values.length) });
  return encodeSafetensors(tensors);
}

describe("a checkpoint folder", () => {
  it("gives the configuration in our terms", async () => {
    const opened = await openCheckpoint(await checkpoint(whole));
    assert.deepEqual(opened.config, {
      family: "bert",
      layerCount: 3,
      shallowLayerCount: 1,
      hiddenSize: 4,
      headCount: 2,
      intermediateSize: 6,
      vocabularySize: 6,
      positionCount: 10,
      segmentCount: 2,
      layerNormEpsilon: 1e-12,
    });
    assert.equal(opened.pooling, "mean");
    assert.equal(opened.tokensMax, 10);
  });

  it("takes pooling and length from sentence-transformers' files", async () => {
    const path = await checkpoint({
      ...whole,
      "1_Pooling/config.json": JSON.stringify(pooling),
      "sentence_bert_config.json": '{"max_seq_length":5}',
    });
    const opened = await openCheckpoint(path);
    assert.equal(opened.pooling, "cls");
    assert.equal(opened.tokensMax, 5);
    const { ids } = await (await opened.tokenizer()).encode(["lamp lamp lamp lamp lamp"]);
    assert.deepEqual(ids, [Int32Array.of(2, 5, 5, 5, 3)]);
  });

  it("gives every tensor in the order of the file", async () => {
    const opened = await openCheckpoint(await checkpoint(whole));
    assert.deepEqual(await tensorsOf(opened), tinyWeights());
  });

  it("takes the prefix and the norms' names of older checkpoints", async () => {
    const older = encodeSafetensors(tinyWeights("bert.", ["gamma", "beta"]));
    const opened = await openCheckpoint(await checkpoint({ ...whole, "model.safetensors": older }));
    assert.deepEqual(await tensorsOf(opened), tinyWeights());
  });

  it("skips tensors that the configuration does not name", async () => {
    const more = tinyWeights();
    more.set("bert.a", { shape: [3], values: Float32Array.of(NaN, 1, 2) });
    more.set("pooler.dense.bias", { shape: [4], values: new Float32Array(4) });
    const path = await checkpoint({ ...whole, "model.safetensors": encodeSafetensors(more) });
    assert.deepEqual(await tensorsOf(await openCheckpoint(path)), tinyWeights());
  });

  it("names the tensor that holds a number that is not finite", async () => {
    for (const wrong of [NaN, Infinity, -Infinity]) {
      const tensors = tinyWeights();
      tensors.get("encoder.layer.1.output.dense.bias")?.values.fill(wrong, 2, 3);
      const bytes = encodeSafetensors(tensors);
      const opened = await openCheckpoint(
        await checkpoint({ ...whole, "model.safetensors": bytes }),
      );
      await assert.rejects(tensorsOf(opened), {
        code: "CORRUPT",
        message: /"encoder.layer.1.output.dense.bias": value 2 is -?(NaN|Infinity)/,
      });
    }
  });

  it("refuses bytes that have changed since it was opened, whatever they are", async () => {
    const path = await checkpoint(whole);
    const opened = await openCheckpoint(path);
    const bytes = Buffer.from(whole["model.safetensors"] ?? "");
    bytes.writeUInt8(bytes.readUInt8(bytes.length - 3) ^ 1, bytes.length - 3);
    await writeFile(join(path, "model.safetensors"), bytes);
    await assert.rejects(tensorsOf(opened), {
      code: "CORRUPT",
      message: /model.safetensors: expected sha256:.*, got sha256:/,
    });
    await writeFile(join(path, "vocab.txt"), tinyVocabulary.replace("lamp", "lump"));
    await assert.rejects(opened.tokenizer(), { code: "CORRUPT", message: /vocab.txt: expected/ });
  });

  it("reads exactly the files whose digests were recorded", async () => {
    const path = await checkpoint(whole);
    const { files, digest } = await openCheckpoint(path);
    await writeFile(join(path, "tokenizer.json"), "{}");
    const opened = await openCheckpoint(path, files);
    assert.equal(opened.digest, digest);
    assert.equal((await opened.tokenizer()).vocabularySize, 6);
    await rm(join(path, "config.json"));
    await assert.rejects(openCheckpoint(path, files), {
      code: "CORRUPT",
      message: /config.json: it is gone/,
    });
  });

  it("has one digest for equal files and others for others", async () => {
    const digest = async (files: Files) => (await openCheckpoint(await checkpoint(files))).digest;
    const expected = await digest(whole);
    assert.equal(await digest({ ...whole, "README.md": "not read" }), expected);
    assert.notEqual(await digest({ ...whole, "tokenizer_config.json": "{}" }), expected);
    assert.notEqual(await digest({ ...whole, "vocab.txt": tinyVocabulary.trimEnd() }), expected);
  });

  const without = (path: string): Files =>
    Object.fromEntries(Object.entries(whole).filter(([name]) => name !== path));
  const configured = (change: object): Files => ({
    ...whole,
    "config.json": JSON.stringify({ ...tinyConfig, ...change }),
  });
  const noWeights = without("model.safetensors");
  const lacking = tinyWeights();
  lacking.delete("encoder.layer.2.output.dense.bias");
  const faults: [string, Files, string, RegExp][] = [
    ["another family", configured({ model_type: "t5" }), "UNSUPPORTED", /"t5"/],
    ["another activation", configured({ hidden_act: "relu" }), "UNSUPPORTED", /"relu"/],
    ["relative positions", configured({ position_embedding_type: "r" }), "UNSUPPORTED", /"r"/],
    ["a decoder", configured({ is_decoder: true }), "UNSUPPORTED", /is_decoder/],
    ["a size of text", configured({ hidden_size: "4" }), "INVALID_ARGUMENT", /hidden_size/],
    ["a size of 0", configured({ vocab_size: 0 }), "INVALID_ARGUMENT", /vocab_size/],
    ["a huge size", configured({ num_hidden_layers: 1e9 }), "INVALID_ARGUMENT", /hidden_layers/],
    ["uneven heads", configured({ num_attention_heads: 3 }), "INVALID_ARGUMENT", /no multiple/],
    ["other sizes", configured({ hidden_size: 8 }), "INVALID_ARGUMENT", /\[6,4\].*\[6,8\]/],
    [
      "a text that is not UTF-8",
      { ...whole, "vocab.txt": Uint8Array.of(0xff) },
      "INVALID_ARGUMENT",
      /UTF-8/,
    ],
    [
      "whole numbers as weights",
      { ...whole, "model.safetensors": withBytes("encoder.layer.0.output.dense.weight") },
      "UNSUPPORTED",
      /"encoder.layer.0.output.dense.weight" is I8/,
    ],
    ["no JSON", { ...whole, "config.json": "{" }, "INVALID_ARGUMENT", /not JSON/],
    ["no config", without("config.json"), "NOT_FOUND", /no config.json/],
    ["no weights", noWeights, "NOT_FOUND", /no model.safetensors/],
    ["a pickle", { ...noWeights, "pytorch_model.bin": "" }, "UNSUPPORTED", /execute code/],
    ["shards", { ...noWeights, "model.safetensors.index.json": "" }, "UNSUPPORTED", /sharded/],
    ["empty weights", { ...whole, "model.safetensors": "" }, "CORRUPT", /8 bytes/],
    [
      "a missing tensor",
      { ...whole, "model.safetensors": encodeSafetensors(lacking) },
      "NOT_FOUND",
      /"encoder.layer.2.output.dense.bias"/,
    ],
    [
      "another pooling",
      { ...whole, "1_Pooling/config.json": '{"pooling_mode_max_tokens":true}' },
      "UNSUPPORTED",
      /max_tokens/,
    ],
    [
      "a layer after pooling",
      { ...whole, "modules.json": '[{"type":"sentence_transformers.models.Dense"}]' },
      "UNSUPPORTED",
      /Dense/,
    ],
  ];
  for (const [what, files, code, message] of faults) {
    it(`with ${what} is ${code}`, async () => {
      const path = await checkpoint(files);
      await assert.rejects(openCheckpoint(path), { name: "StrataError", code, message });
    });
  }

  it("with a folder in the place of a file is INVALID_ARGUMENT", async () => {
    const path = await checkpoint(without("model.safetensors"));
    await mkdir(join(path, "model.safetensors"));
    await assert.rejects(openCheckpoint(path), { code: "INVALID_ARGUMENT", message: /no file/ });
  });

  it("that is not there is NOT_FOUND", async () => {
    await assert.rejects(openCheckpoint(join(folder, "none")), { code: "NOT_FOUND" });
  });

  it("with a tokenizer larger than the model is refused", async () => {
    const opened = await openCheckpoint(
      await checkpoint({ ...whole, "vocab.txt": `${tinyVocabulary}a` }),
    );
    await assert.rejects(opened.tokenizer(), { code: "INVALID_ARGUMENT", message: /7 tokens/ });
  });
});
