import assert from "node:assert/strict";
import { mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, it } from "node:test";
import { fileURLToPath } from "node:url";
import { decodeSafetensors, encodeSafetensors } from "../formats/safetensors.ts";
import { systemClock } from "../foundation/clock.ts";
import { digestOf } from "../foundation/digest.ts";
import { silentTelemetry } from "../foundation/telemetry.ts";
import { type PulledBase, removePulledBase } from "./base-cache.ts";
import { knownBases } from "./known-bases.ts";
import type { Network } from "./network.ts";
import { pullBase } from "./pull.ts";
import { hierarchyPathOf, installHierarchy, shippedHierarchies } from "./shipped-hierarchy.ts";
import { tinyCheckpoint } from "../checkpoints/exam-tiny-checkpoint.ts";
import { tinyHierarchy } from "../checkpoints/exam-tiny-hierarchy.ts";

const network: Network = {
  environment: {},
  fetch,
  clock: systemClock,
  telemetry: silentTelemetry,
};

let folder = "";
let manifestPath = "";
let base: PulledBase;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "strata-shipped-"));
  manifestPath = join(folder, "models.json");
  for (const [path, body] of Object.entries(tinyCheckpoint())) {
    await mkdir(join(folder, "tiny"), { recursive: true });
    await writeFile(join(folder, "tiny", path), body);
  }
  const options = { ...network, cacheFolder: join(folder, "cache") };
  base = await pullBase(`dir:${join(folder, "tiny")}`, options);
});
afterEach(() => rm(folder, { recursive: true }));

function fileOf(tensors = tinyHierarchy(), digest: string = base.digest): Uint8Array {
  const run = JSON.stringify({ base: "tiny", digest, config: { shallowLayerCount: 1 } });
  return encodeSafetensors(tensors, { metadata: { run } });
}

/** Puts the file and a manifest that pins it where the package would have them. */
async function ship(file: Uint8Array, fields: object = {}): Promise<void> {
  await writeFile(join(folder, "tiny.safetensors"), file);
  const tiny = {
    file: "tiny.safetensors",
    digest: digestOf(file),
    bytes: file.length,
    baseDigest: base.digest,
    shallowLayerCount: 1,
    command: "strata base hierarchise tiny",
    commit: "0123abc",
    tokenCount: 9,
    figures: { cosine: 0.9 },
    ...fields,
  };
  await writeFile(manifestPath, JSON.stringify({ tiny }));
}

async function assertAbsent(): Promise<void> {
  assert.equal((await readdir(base.folder)).join().includes("hierarchy"), false);
}

describe("installing a shipped hierarchical form", () => {
  it("puts it beside the checkpoint, and does nothing the second time", async () => {
    await ship(fileOf());
    assert.equal(await installHierarchy(base, manifestPath, network), "installed");
    assert.deepEqual(await readFile(hierarchyPathOf(base)), Buffer.from(fileOf()));
    const { ino } = await stat(hierarchyPathOf(base));
    assert.equal(await installHierarchy(base, manifestPath, network), "present");
    assert.equal((await stat(hierarchyPathOf(base))).ino, ino);
    const names = await readdir(join(folder, "cache", "bases"));
    assert.deepEqual(names, ["tiny"], "no lock stays");
  });

  it("replaces an installed one that is damaged", async () => {
    await ship(fileOf());
    await writeFile(hierarchyPathOf(base), "half");
    assert.equal(await installHierarchy(base, manifestPath, network), "installed");
    assert.deepEqual(await readFile(hierarchyPathOf(base)), Buffer.from(fileOf()));
  });

  it("names what to run for a base that has none", async () => {
    await writeFile(manifestPath, "{}");
    await assert.rejects(installHierarchy(base, manifestPath, network), {
      code: "NOT_FOUND",
      message: /none is shipped; make one by: strata base hierarchise tiny --text/,
    });
  });

  it("refuses other bytes than the manifest pins, and names both digests", async () => {
    const digest = `sha256:${"1".repeat(64)}`;
    await ship(fileOf(), { digest });
    await assert.rejects(installHierarchy(base, manifestPath, network), {
      code: "CORRUPT",
      message: new RegExp(`${digest}, got ${digestOf(fileOf())}`),
    });
    await assertAbsent();
  });

  it("refuses what was made for another base, by the manifest and by the file", async () => {
    const other = `sha256:${"2".repeat(64)}`;
    await ship(fileOf(), { baseDigest: other });
    const refusal = { code: "CONFLICT", message: new RegExp(`${other}, this one is`) };
    await assert.rejects(installHierarchy(base, manifestPath, network), refusal);
    await ship(fileOf(tinyHierarchy(), other));
    await assert.rejects(installHierarchy(base, manifestPath, network), refusal);
    await assertAbsent();
  });

  it("refuses a file without all tensors in the base's shapes", async () => {
    const lacking = tinyHierarchy();
    lacking.delete("ngram.gate.bias");
    await ship(fileOf(lacking));
    await assert.rejects(installHierarchy(base, manifestPath, network), {
      code: "CORRUPT",
      message: /expected "ngram.gate.bias" of 1, got none/,
    });
    const wider = tinyHierarchy().set("ngram.gate.bias", {
      shape: [2],
      values: new Float32Array(2),
    });
    await ship(fileOf(wider));
    await assert.rejects(installHierarchy(base, manifestPath, network), { code: "CORRUPT" });
    await assertAbsent();
  });

  it("goes with its base", async () => {
    await ship(fileOf());
    await installHierarchy(base, manifestPath, network);
    await removePulledBase(join(folder, "cache"), "tiny");
    assert.deepEqual(await readdir(join(folder, "cache", "bases")), []);
  });
});

const shippedBytesMax = 16_000_000;

describe("what the package ships", () => {
  it("has the bytes that its manifest pins, for bases that have names", async () => {
    const models = fileURLToPath(new URL("../../../models/", import.meta.url));
    const pinned = await shippedHierarchies(join(models, "models.json"));
    const shipped = Object.entries(pinned).flatMap(([name, { domains, ...form }]) =>
      [form, ...Object.values(domains)].map((made) => ({ ...form, ...made, name })),
    );
    const files = shipped.map(({ file }) => file);
    const found = (await readdir(models)).filter((name) => name !== "models.json");
    assert.deepEqual(found.sort(), files.sort());
    for (const { name, file, digest, bytes, baseDigest } of shipped) {
      assert.ok(knownBases.some((known) => known.name === name));
      const content = await readFile(join(models, file));
      assert.equal(digestOf(content), digest);
      assert.equal(content.length, bytes);
      assert.ok(bytes <= shippedBytesMax, `${bytes} bytes`);
      const { metadata } = decodeSafetensors(content);
      assert.ok(metadata["run"]?.includes(baseDigest));
    }
  });
});
