/** The tokenizer against the original implementation, on the golden texts. */
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, it } from "node:test";
import { openCheckpoint } from "../src/checkpoints/folder.ts";
import { tokenizerOfVocabulary } from "../src/formats/tokenizer.ts";
import { bert } from "../src/models/families/bert.ts";
import { realBaseFolder } from "./exam-real-base.ts";

interface Golden {
  readonly rows: readonly { readonly text: string; readonly ids: readonly number[] }[];
}

const file = await readFile("test/golden/minilm-embeddings.json", "utf8");
const golden = JSON.parse(file) as Golden; // written by tools/golden/make_embeddings.py
const texts = golden.rows.map(({ text }) => text);
const expected = golden.rows.map(({ ids }) => Int32Array.from(ids));

describe("the tokens of 200 texts", () => {
  it("are those of the original implementation, by tokenizer.json", async (context) => {
    const folder = await realBaseFolder(context);
    if (folder === undefined) return;
    const tokenizer = await (await openCheckpoint(folder)).tokenizer();
    const { ids } = await tokenizer.encode(texts);
    assert.equal(ids.length, 200);
    assert.deepEqual(ids, expected);
  });

  it("are those of the original implementation, by vocab.txt", async (context) => {
    const folder = await realBaseFolder(context);
    if (folder === undefined) return;
    const json: unknown = JSON.parse(await readFile(join(folder, "tokenizer.json"), "utf8"));
    const { vocab } = (json as { model: { vocab: Record<string, number> } }).model; // pinned bytes
    const inOrder = Object.entries(vocab).sort(([, a], [, b]) => a - b);
    const tokenizer = tokenizerOfVocabulary(inOrder.map(([token]) => token).join("\n"), {
      casing: { isLowercase: true, stripsAccents: true, splitsChinese: true },
      vocabularySize: 30_522,
      tokensMax: 256,
      special: bert.specialTokens,
    });
    const { ids, isTruncated } = await tokenizer.encode(texts);
    assert.deepEqual(ids, expected);
    // A text that was cut fills the length; one that fills it need not have been cut.
    assert.ok(isTruncated.filter((isCut) => isCut).length >= 10);
    isTruncated.forEach((isCut, index) => assert.ok(!isCut || ids[index]?.length === 256));
  });

  it("are the same alone as in a batch", async (context) => {
    const folder = await realBaseFolder(context);
    if (folder === undefined) return;
    const tokenizer = await (await openCheckpoint(folder)).tokenizer();
    for (const [index, text] of texts.entries()) {
      const { ids } = await tokenizer.encode([text]);
      assert.deepEqual(ids, [expected[index]]);
    }
  });
});
