import assert from "node:assert/strict";
import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { StrataError } from "../foundation/errors.ts";
import { checkPulledBase, installBase, openBaseCheckpoint, type PulledBase } from "./base-cache.ts";
import { tinyCheckpoint } from "../checkpoints/exam-tiny-checkpoint.ts";

let cacheFolder = "";
let base: PulledBase;
before(async () => {
  cacheFolder = await mkdtemp(join(tmpdir(), "strata-base-"));
  const staging = join(cacheFolder, "staging");
  await mkdir(staging);
  await mkdir(join(cacheFolder, "bases"));
  for (const [path, body] of Object.entries(tinyCheckpoint()))
    await writeFile(join(staging, path), body);
  base = await installBase({ cacheFolder, id: "tiny", staging, source: "dir:/x", createdAt: 0 });
});
after(() => rm(cacheFolder, { recursive: true }));

/** All that a server reads of a base. */
async function readAll(): Promise<void> {
  const checkpoint = await openBaseCheckpoint(base);
  await checkpoint.tokenizer();
  for await (const _ of checkpoint.tensors());
}

/** Reads with each bit of the byte turned, and puts the byte back. */
async function readTurned(path: string, at: number): Promise<readonly unknown[]> {
  const bytes = await readFile(path);
  const right = bytes.readUInt8(at);
  const outcomes: unknown[] = [];
  for (const read of [readAll, () => checkPulledBase(base)]) {
    bytes.writeUInt8(right ^ (1 << (at % 8)), at);
    await writeFile(path, bytes);
    outcomes.push(
      await read().then(
        () => undefined,
        (error: unknown) => error,
      ),
    );
  }
  bytes.writeUInt8(right, at);
  await writeFile(path, bytes);
  return outcomes;
}

describe("a pulled base", () => {
  for (const [file, step] of [
    ["config.json", 1],
    ["vocab.txt", 1],
    ["model.safetensors", 41],
  ] as const)
    it(`with one turned bit anywhere in ${file} is CORRUPT, and says how to mend it`, async () => {
      const path = join(base.folder, file);
      const { length } = await readFile(path);
      for (let at = 0; at < length; at += step)
        for (const error of await readTurned(path, at)) {
          assert.ok(error instanceof StrataError, `byte ${at} of ${file} is not missed`);
          assert.equal(error.code, "CORRUPT");
          assert.match(error.message, /pull it again: strata base pull tiny --source dir:\/x/);
        }
      await readAll();
    });

  it("whose record says other things than its files is CORRUPT", async () => {
    for (const change of [
      { config: { ...base.config, layerNormEpsilon: 0.5 } },
      { pooling: "cls" },
      { tokensMax: 3 },
      { digest: `sha256:${"0".repeat(64)}` },
    ] as const)
      await assert.rejects(openBaseCheckpoint({ ...base, ...change }), {
        code: "CORRUPT",
        message: /base.json says other things/,
      });
  });
});
