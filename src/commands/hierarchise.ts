/**
 * `strata base hierarchise`: reads the text, distils, and leaves save point, weights and report in
 * a folder. The save point is replaced as a whole, so that a killed run loses steps and no file.
 */
import { createReadStream } from "node:fs";
import { open, readFile } from "node:fs/promises";
import { join } from "node:path";
import { createInterface } from "node:readline/promises";
import { openBaseCheckpoint, openPulledBase } from "../sources/base-cache.ts";
import { loadBaseWeights } from "../checkpoints/base-weights.ts";
import type { Checkpoint } from "../checkpoints/checkpoints.ts";
import { digestOfFile } from "../checkpoints/files.ts";
import { encodeHierarchy, type HierarchicalBase, openHierarchy } from "../checkpoints/hierarchy.ts";
import type { Weights } from "../entities/weights.ts";
import type { Tokenizer } from "../formats/formats.ts";
import { decodeSafetensors, encodeSafetensors } from "../formats/safetensors.ts";
import { replaceFile } from "../foundation/replace-file.ts";
import type {
  HierarchiseOptions,
  HierarchiseProgress,
  HierarchiseReport,
} from "../cli/local-commands.ts";
import type { EncoderConfig } from "../entities/base-model.ts";
import { StrataError, wrapError } from "../foundation/errors.ts";
import { makeFolder } from "../foundation/make-folder.ts";
import { permutation, SeededRandom } from "../foundation/random.ts";
import { familyOf } from "../models/families/families.ts";
import { hierarchyWeights } from "../models/hierarchical-states.ts";
import { OrtRuntime } from "../runtime/ort/ort-runtime.ts";
import { floatsOf, type Runtime } from "../runtime/runtime.ts";
import {
  distil,
  type SavePoint,
  type DistillationOptions,
  type DistillationTask,
} from "../distillation/distillation.ts";
import { maskedTokens, specialTokensOf } from "../distillation/masked-tokens.ts";
import { shuffledBatches } from "../learning/sequences.ts";
import { hierarchiseReport } from "../reports/hierarchise-report.ts";

const savePointFile = "save-point.safetensors";
const weightsFile = "hierarchy.safetensors";
const reportFile = "report.json";
const htmlFile = "report.html";

const heldOutCount = 256;
/** Longer texts are cut: what lies far apart is the upper layers' concern. */
const textTokensMax = 128;
/** Texts of special tokens and next to nothing teach nothing. */
const textTokensMin = 5;
const batchTokensMax = 1024;
const savePointStepCount = 100;
/** Shares of a text's n-grams: about those that other text finds in a table of millions. */
const shares = { unigrams: 1, bigrams: 0.8, trigrams: 0.25 };
/** The others are computed, as they are for a table's rows. */
const lookedUpShare = 0.75;
/** Upper layers start as the base's, which are near to what is wanted. */
const upperRateFactor = 0.25;

/** Tokens of a step; a save point of another number would not go on with the same bits. */
const arithmetic = "float32 tri-grams, int8 frozen layers";

interface LocalHierarchiseOptions extends HierarchiseOptions {
  readonly cacheFolder: string;
  readonly coreCount: number;
}

export async function hierarchise(
  options: LocalHierarchiseOptions,
  onProgress: (progress: HierarchiseProgress) => void,
): Promise<HierarchiseReport> {
  checkObjective(options);
  await checkPaths(options);
  const threadCount = options.threadCount ?? options.coreCount;
  const runtime = new OrtRuntime({ threadCount, spinUs: 500 });
  try {
    return await learnForm(runtime, options, onProgress);
  } finally {
    await runtime.close();
  }
}

async function learnForm(
  runtime: Runtime,
  options: LocalHierarchiseOptions,
  onProgress: (progress: HierarchiseProgress) => void,
): Promise<HierarchiseReport> {
  const { name, cacheFolder, outFolder, signal, seed, learningRate } = options;
  const checkpoint = await openBaseCheckpoint(await openPulledBase(cacheFolder, name));
  const { digest } = checkpoint;
  const config = hierarchicalConfig(checkpoint.config, options.shallowLayerCount);
  const start = await startOf({ checkpoint, config }, options, runtime);
  const tokenizer = await checkpoint.tokenizer();
  const texts = await readTexts(tokenizer, options);
  const task: DistillationTask = { config, ...start, ...texts };
  const stepCount = Math.ceil(options.epochCount * batchCountOf(texts.train));
  const distillation: DistillationOptions = {
    learningRate,
    batchTokensMax,
    stepCount,
    shares,
    lookedUpShare,
    upperRateFactor,
    seed,
    savePointStepCount,
  };
  const record = {
    base: name,
    digest,
    text: await digestOfFile(options.textPath),
    from: options.fromPath === undefined ? undefined : await digestOfFile(options.fromPath),
    objective: options.objective,
    learns: start.learns,
    arithmetic,
    config,
    options: distillation,
  };
  await makeFolder(outFolder).catch((error: unknown) => {
    throw wrapError(error, "INVALID_ARGUMENT", `Cannot write to "${outFolder}"`);
  });
  const path = join(outFolder, savePointFile);
  const from = await readSavePoint(path, JSON.stringify(record));
  let last = from;
  await distil(runtime, task, {
    options: distillation,
    signal,
    ...(options.objective === "distillation"
      ? {}
      : { objective: maskedTokens(task, distillation, await specialTokensOf(tokenizer)) }),
    ...(from === undefined ? {} : { from }),
    onSavePoint: async (reached) => {
      last = reached;
      await writeSavePoint(path, reached, JSON.stringify(record));
      await writeReport(outFolder, { ...record, curve: reached.curve });
      const { step = 0, tokenCount = 0, cosine = 0 } = reached.curve.at(-1) ?? {};
      onProgress({ step, stepCount, tokenCount, cosine });
    },
  });
  return finish({ outFolder, last, record, task, runtime });
}

/** Runs before the base is loaded, which takes a while. INVALID_ARGUMENT names the path. */
async function checkPaths({ textPath, fromPath }: HierarchiseOptions): Promise<void> {
  for (const path of fromPath === undefined ? [textPath] : [textPath, fromPath])
    await checkReadable(path).catch((error: unknown) => {
      throw wrapError(error, "INVALID_ARGUMENT", `Cannot read "${path}"`);
    });
}

/** Reads a byte of it: a folder can be opened, and not read. */
async function checkReadable(path: string): Promise<void> {
  const file = await open(path, "r");
  try {
    await file.read(new Uint8Array(1));
  } finally {
    await file.close();
  }
}

function checkObjective({ objective, fromPath, learns }: HierarchiseOptions): void {
  if (objective === "masked-tokens" && (learns ?? "ngrams") !== "ngrams")
    throw new StrataError(
      "INVALID_ARGUMENT",
      `Cannot learn "${learns}" from masked tokens: only distillation does`,
      { field: "learn" },
    );
  if (learns === "ngrams" && fromPath === undefined)
    throw new StrataError(
      "INVALID_ARGUMENT",
      "Cannot learn tri-grams alone: expected a form's weights that merge them, got none",
      { field: "from" },
    );
  if (objective === "masked-tokens" && fromPath === undefined)
    throw new StrataError(
      "INVALID_ARGUMENT",
      "Cannot learn masked tokens: expected weights that distillation has made, got none",
      { field: "from" },
    );
}

/** CONFLICT when the weights to start from are of another base or cut elsewhere. */
async function startOf(
  { checkpoint, config }: Pick<HierarchicalBase, "config"> & { readonly checkpoint: Checkpoint },
  { fromPath, learns }: HierarchiseOptions,
  runtime: Runtime,
): Promise<Pick<DistillationTask, "base" | "weights" | "learns" | "ownsUpper">> {
  const base = await loadBaseWeights(checkpoint, runtime);
  if (fromPath === undefined)
    return { base, weights: base, learns: learns ?? "merge", ownsUpper: learns === "upper" };
  const given = await openHierarchy(fromPath, { checkpoint, weights: base }, runtime);
  const [wanted, found] = [config.shallowLayerCount, given.config.shallowLayerCount];
  if (found !== wanted)
    throw new StrataError(
      "CONFLICT",
      `Cannot start from "${fromPath}": expected ${wanted} layers replaced, got ${found}`,
    );
  const { weights, ownsUpper } = given;
  return { base, weights, learns: learns ?? "ngrams", ownsUpper: ownsUpper || learns === "upper" };
}

/** The same base, cut where tables shall replace its layers. */
function hierarchicalConfig(config: EncoderConfig, shallowLayerCount: number): EncoderConfig {
  if (!familyOf(config).hasHierarchicalForm)
    throw new StrataError(
      "UNSUPPORTED",
      `Cannot hierarchise: bases of the family "${config.family}" have no hierarchical form`,
    );
  if (shallowLayerCount >= config.layerCount)
    throw new StrataError(
      "INVALID_ARGUMENT",
      `Cannot replace ${shallowLayerCount} layers: the base has ${config.layerCount}, ` +
        "and one at least stays above",
      { field: "shallow" },
    );
  return { ...config, shallowLayerCount };
}

async function readTexts(
  tokenizer: Tokenizer,
  { textPath, signal }: HierarchiseOptions,
): Promise<Pick<DistillationTask, "train" | "heldOut">> {
  const texts: Int32Array[] = [];
  const take = async (lines: readonly string[]): Promise<void> => {
    for (const ids of (await tokenizer.encode(lines)).ids)
      if (ids.length >= textTokensMin) texts.push(ids.slice(0, textTokensMax));
  };
  let lines: string[] = [];
  for await (const line of createInterface(createReadStream(textPath))) {
    signal.throwIfAborted();
    lines.push(line);
    if (lines.length < 1000) continue;
    await take(lines);
    lines = [];
  }
  await take(lines);
  if (texts.length <= heldOutCount)
    throw new StrataError(
      "INVALID_ARGUMENT",
      `Cannot learn from "${textPath}": expected more than ${heldOutCount} lines of text, ` +
        `got ${texts.length}`,
      { field: "text" },
    );
  // The same for every seed: a form that goes on with a text is judged on lines it never saw.
  const order = [...permutation(texts.length, new SeededRandom(0))];
  const shuffled = order.flatMap((index) => texts[index] ?? []);
  return { train: shuffled.slice(heldOutCount), heldOut: shuffled.slice(0, heldOutCount) };
}

function batchCountOf(texts: readonly Int32Array[]): number {
  const shape = { sequencesMax: texts.length, tokensMax: batchTokensMax };
  return shuffledBatches({ ids: texts }, shape, new SeededRandom(0)).length;
}

/** CONFLICT when the folder holds the save point of another run. */
async function readSavePoint(path: string, record: string): Promise<SavePoint | undefined> {
  const bytes = await readFile(path).catch(() => undefined);
  if (bytes === undefined) return undefined;
  const file = decodeSafetensors(bytes);
  if (file.metadata["run"] !== record)
    throw new StrataError(
      "CONFLICT",
      `Cannot go on from "${path}": it is of a run with other options, ${file.metadata["run"]}`,
    );
  const values = file.names.map((name) => {
    const { shape, values: stored } = file.tensor(name);
    // A copy of its own, since the runtime takes buffers over.
    return [name, { kind: "value", type: "float32", shape, values: stored.slice() }] as const;
  });
  const text = file.metadata["curve"] ?? "[]";
  const curve = JSON.parse(text) as SavePoint["curve"]; // written below
  return { values: new Map(values), curve };
}

async function writeSavePoint(
  path: string,
  { values, curve }: SavePoint,
  record: string,
): Promise<void> {
  const metadata = { run: record, curve: JSON.stringify(curve) };
  await replaceFile(path, encodeSafetensors(tensorsOf(values), { metadata }));
}

function tensorsOf(values: SavePoint["values"]): Weights {
  return new Map([...values].map(([name, value]) => [name, floatsOf(value, name)]));
}

type Report = Parameters<typeof hierarchiseReport>[0];

async function writeReport(outFolder: string, report: Report): Promise<void> {
  await replaceFile(join(outFolder, reportFile), `${JSON.stringify(report, null, 2)}\n`);
  await replaceFile(join(outFolder, htmlFile), hierarchiseReport(report));
}

async function finish({
  outFolder,
  last,
  record,
  task,
  runtime,
}: {
  readonly outFolder: string;
  readonly last: SavePoint | undefined;
  readonly record: Omit<Report, "curve">;
  readonly task: Pick<DistillationTask, "config" | "ownsUpper">;
  readonly runtime: Runtime;
}): Promise<HierarchiseReport> {
  const { values = new Map(), curve = [] } = last ?? {};
  const { config } = task;
  const parts = new Set(hierarchyWeights(config, task.ownsUpper).map(({ name }) => name));
  const form = new Map([...tensorsOf(values)].filter(([name]) => parts.has(name)));
  const weights = join(outFolder, weightsFile);
  const run = JSON.stringify(record);
  await replaceFile(weights, await encodeHierarchy(form, { config, run }, runtime));
  // A run that was killed after its last save point may have left an older one.
  await writeReport(outFolder, { ...record, curve });
  const { cosine = 0, errors = [], lookedUp, tokenCount = 0, words } = curve.at(-1) ?? {};
  const report = join(outFolder, htmlFile);
  const lookedUpCosine = lookedUp?.cosine ?? 0;
  return { weights, report, cosine, lookedUpCosine, errors, tokenCount, ...(words && { words }) };
}
