/** `strata base hierarchise` on a tiny base: files, starts, stops, and what it refuses. */
import assert from "node:assert/strict";
import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { installBase } from "../sources/base-cache.ts";
import { pullBase } from "../sources/pull.ts";
import { writeSmallCheckpoint } from "../checkpoints/exam-small-checkpoint.ts";
import { systemClock } from "../foundation/clock.ts";
import { silentTelemetry } from "../foundation/telemetry.ts";
import { digestOfFile } from "../checkpoints/files.ts";
import { tinyCheckpoint } from "../checkpoints/exam-tiny-checkpoint.ts";
import type {
  HierarchiseOptions,
  HierarchiseProgress,
  HierarchiseReport,
} from "../cli/local-commands.ts";
import { decodeSafetensors } from "../formats/safetensors.ts";
import { hierarchise } from "./hierarchise.ts";

let folder = "";
let general = "";

before(async () => {
  folder = await mkdtemp(join(tmpdir(), "strata-hierarchise-"));
  const files = tinyCheckpoint();
  await install("tiny", files);
  await install("other", { ...files, "vocab.txt": `${String(files["vocab.txt"]).trim()}s\n` });
  const lines = Array.from({ length: 300 }, (_, line) => "lamp ".repeat(3 + (line % 5)));
  await writeFile(join(folder, "text.txt"), lines.join("\n"));
  general = (await run({ outFolder: join(folder, "general") })).weights;
});
after(() => rm(folder, { recursive: true }));

async function install(id: string, files: Record<string, string | Uint8Array>): Promise<void> {
  const staging = join(folder, `${id}-files`);
  await mkdir(staging, { recursive: true });
  await mkdir(join(folder, "bases"), { recursive: true });
  for (const [path, body] of Object.entries(files)) await writeFile(join(staging, path), body);
  await installBase({ cacheFolder: folder, id, staging, source: `dir:${id}`, createdAt: 0 });
}

function run(
  options: Partial<HierarchiseOptions>,
  onProgress: (progress: HierarchiseProgress) => void = () => {},
): Promise<HierarchiseReport> {
  const all = {
    name: "tiny",
    home: folder,
    signal: new AbortController().signal,
    textPath: join(folder, "text.txt"),
    outFolder: join(folder, "out"),
    shallowLayerCount: 1,
    fromPath: undefined,
    learns: undefined,
    objective: "distillation" as const,
    epochCount: 1,
    learningRate: 0.01,
    threadCount: 1,
    seed: 0,
    ...options,
    cacheFolder: folder,
    coreCount: 1,
  };
  return hierarchise(all, onProgress);
}

async function weightsIn(path: string): Promise<ReturnType<typeof decodeSafetensors>> {
  return decodeSafetensors(await readFile(path));
}

describe("a domain's hierarchical form", () => {
  for (const objective of ["distillation", "masked-tokens"] as const)
    it(`holds all weights after ${objective}, the given merge too, and its start`, async () => {
      const outFolder = join(folder, objective);
      const report = await run({ outFolder, objective, fromPath: general });
      const [given, made] = [await weightsIn(general), await weightsIn(report.weights)];
      assert.deepEqual([...made.names].sort(), [...given.names].sort());
      const merge = made.names.filter((name) => name.startsWith("ngram.merge."));
      assert.equal(merge.length, 3);
      for (const name of merge) assert.deepEqual(made.tensor(name), given.tensor(name), name);
      const recordOf = ({ metadata }: typeof made): Readonly<Record<string, unknown>> =>
        JSON.parse(metadata["run"] ?? "") as Record<string, unknown>; // an object, written as JSON
      assert.equal(recordOf(made)["digest"], recordOf(given)["digest"]);
      assert.equal(recordOf(made)["objective"], objective);
      assert.equal(recordOf(made)["from"], await digestOfFile(general));
      assert.equal(report.words === undefined, objective === "distillation");
    });

  it("goes on with a general one, whose merge learns too, where that is asked for", async () => {
    const outFolder = join(folder, "longer");
    const report = await run({ outFolder, fromPath: general, learns: "merge" });
    const [given, made] = [await weightsIn(general), await weightsIn(report.weights)];
    for (const name of ["ngram.merge.position", "ngram.gate.bias"])
      assert.notDeepEqual(made.tensor(name), given.tensor(name), name);
  });

  it("takes the upper layers of a general form that learned its own, and leaves them", async () => {
    const own = await run({ outFolder: join(folder, "own"), learns: "upper" });
    const domain = await run({ outFolder: join(folder, "under-own"), fromPath: own.weights });
    const [given, made] = [await weightsIn(own.weights), await weightsIn(domain.weights)];
    const upper = made.names.filter((name) => name.startsWith("layer."));
    assert.equal(upper.length, 2 * (16 + 6), "two layers, and the scales of their linears");
    for (const name of upper) assert.deepEqual(made.tensor(name), given.tensor(name), name);
    assert.notDeepEqual(made.tensor("ngram.gate.bias"), given.tensor("ngram.gate.bias"));
  });

  it("refuses a base of a family that has no such form", async () => {
    const checkpoint = await writeSmallCheckpoint("mpnet");
    const { telemetry, environment } = { telemetry: silentTelemetry, environment: {} };
    const options = { cacheFolder: folder, fetch, clock: systemClock, telemetry, environment };
    await pullBase(`dir:${checkpoint}`, { ...options, as: "mpnet" });
    await rm(checkpoint, { recursive: true });
    await assert.rejects(run({ name: "mpnet", outFolder: join(folder, "none") }), {
      code: "UNSUPPORTED",
      message: /family "mpnet" have no hierarchical form/,
    });
  });

  it("starts from no form of another base or cut", async () => {
    const start = { fromPath: general, outFolder: join(folder, "never") };
    await assert.rejects(run({ ...start, name: "other" }), { code: "CONFLICT" });
    await assert.rejects(run({ ...start, shallowLayerCount: 2 }), {
      code: "CONFLICT",
      message: `Cannot start from "${general}": expected 2 layers replaced, got 1`,
    });
  });

  it("names the path that it cannot read or write to", async () => {
    const outFolder = join(folder, "never");
    const [none, file] = [join(folder, "nope.txt"), join(folder, "text.txt")];
    const refusal = (state: RegExp) => ({ code: "INVALID_ARGUMENT", message: state });
    const unread = refusal(/^Cannot read ".*nope\.txt": ENOENT/);
    await assert.rejects(run({ outFolder, textPath: none }), unread);
    await assert.rejects(run({ outFolder, fromPath: none }), unread);
    await assert.rejects(run({ outFolder, textPath: folder }), refusal(/^Cannot read ".*EISDIR/));
    await assert.rejects(
      run({ outFolder: file }),
      refusal(/^Cannot write to ".*text\.txt": EEXIST/),
    );
  });

  it("refuses to learn what the start or the objective leaves no way to learn", async () => {
    const refusal = (field: string) => ({ code: "INVALID_ARGUMENT", field });
    const masked = { objective: "masked-tokens" } as const;
    await assert.rejects(run(masked), refusal("from"));
    await assert.rejects(run({ ...masked, fromPath: general, learns: "merge" }), refusal("learn"));
    await assert.rejects(run({ learns: "ngrams" }), refusal("from"));
  });
});

describe("a run that was stopped", () => {
  it("goes on from its folder, and ends with the bytes of one that was not", async () => {
    const [whole, halved] = [join(folder, "whole"), join(folder, "halved")];
    const options = { epochCount: 150 };
    const { weights } = await run({ ...options, outFolder: whole });
    const stop = new AbortController();
    const stopped = run({ ...options, outFolder: halved, signal: stop.signal }, ({ step }) => {
      if (step > 0) stop.abort();
    });
    await assert.rejects(stopped, { name: "AbortError" });
    const steps: number[] = [];
    const report = await run({ ...options, outFolder: halved }, ({ step }) => steps.push(step));
    assert.deepEqual(steps, [150], "it went on after its 100 steps");
    assert.deepEqual(await readFile(report.weights), await readFile(weights));
    assert.match(await readFile(report.report, "utf8"), /<html/);
  });

  it("is not gone on with by other options", async () => {
    const outFolder = join(folder, "general");
    await assert.rejects(run({ outFolder, learningRate: 0.02 }), {
      code: "CONFLICT",
      message: /of a run with other options/,
    });
  });
});
