/**
 * The demo: everything that Strata does, once, on real data, through the same HTTP interface and
 * typed client that users have. What needs the engine comes in as `DemoParts`.
 */
import type { Output } from "../cli/output.ts";
import { advance } from "../cli/train.ts";
import type { PullProgress } from "../cli/local-commands.ts";
import { Client } from "../client/client.ts";
import type { ModelVersion } from "../contract/models.ts";
import type { LabelledText } from "../datasets/datasets.ts";
import type { Clock } from "../foundation/clock.ts";
import { StrataError } from "../foundation/errors.ts";
import { SeededRandom, permutation } from "../foundation/random.ts";
import { formatBytes } from "../cli/output.ts";
import { type LoadReport, applyLoad, untilAdmitted, zipf } from "./load.ts";
import type { DemoReport, TaskReport } from "./report.ts";
import { percent, printReport, seconds } from "./report.ts";
import { type DemoTask, loadDemoTasks } from "./tasks.ts";

export interface DemoParts {
  /** Fetches the base unless it is there; returns its name. */
  pullBase(onProgress: (progress: PullProgress) => void): Promise<string>;
  /** Starts a server on an empty store that has the base. */
  startServer(): Promise<DemoServer>;
  readonly output: Output;
  /** Its timers keep the process alive. */
  readonly clock: Clock;
  readonly signal: AbortSignal;
  readonly isOnce: boolean;
}

export interface DemoServer {
  readonly url: string;
  readonly apiKey: string;
  close(): Promise<void>;
}

const derivedCount = 1_000;
/** Small against the weights, so that a derived model still knows its task. */
const derivedNoise = 0.02;
const seed = 7;
/** Few, so that the demo stays short. */
const trainingEpochCount = 3;
const load = { clientCount: 32, durationMs: 15_000 };
const evaluationTextCount = 64;

export async function runDemo(parts: DemoParts): Promise<void> {
  const { clock, output, signal } = parts;
  const started = clock.monotonic();
  const base = await prepareBase(parts);
  const server = await parts.startServer();
  try {
    const demo = new Demo(parts, new Client({ baseUrl: server.url, apiKey: server.apiKey }));
    const report = await demo.run(base, started);
    await output.result(report, () => printReport(report, output));
    if (parts.isOnce) return;
    await sayHowToGoOn(server, output);
    await aborted(signal);
  } finally {
    await server.close();
  }
}

async function prepareBase(parts: DemoParts): Promise<string> {
  const { output } = parts;
  output.line("1. The base model, shared by all");
  const bar = await output.progress({ title: "base model", total: 100 });
  try {
    const name = await parts.pullBase(({ step, doneBytes, totalBytes }) => {
      if (totalBytes === undefined) return;
      bar.update((100 * doneBytes) / totalBytes, `${step}, ${formatBytes(totalBytes)}`);
    });
    bar.update(100, name);
    return name;
  } finally {
    bar.close();
  }
}

class Demo {
  readonly #parts: DemoParts;
  readonly #client: Client;

  constructor(parts: DemoParts, client: Client) {
    this.#parts = parts;
    this.#client = client;
  }

  async run(base: string, started: number): Promise<DemoReport> {
    const { clock, output } = this.#parts;
    output.line("2. Three tasks from public corpora");
    const tasks = await loadDemoTasks();
    for (const { name, title, source } of tasks)
      output.line(`   ${name}: ${title}\n   ${" ".repeat(name.length)}  ${source}`);
    output.line("3. A custom model for each: instant first, then trained");
    const reports: TaskReport[] = [];
    for (const task of tasks) reports.push(await this.#teach(base, task));
    output.line(`4. ${derivedCount} more models, derived from these with seeded noise`);
    const models = await this.#derive(tasks);
    const versions = await this.#servedVersions([...models.keys()]);
    output.line(`5. ${load.clientCount} clients call all ${models.size} models at once`);
    const calls = await this.#load(models);
    return {
      tasks: reports,
      modelCount: models.size,
      derivedCount,
      distinctDigestCount: new Set(versions.map(({ digest }) => digest)).size,
      bytesPerModel: versions.reduce((sum, { bytes }) => sum + bytes, 0) / versions.length,
      load: { ...load, ...calls },
      memoryBytes: process.memoryUsage.rss(),
      totalMs: clock.monotonic() - started,
    };
  }

  async #teach(base: string, task: DemoTask): Promise<TaskReport> {
    const { clock, output } = this.#parts;
    const { name, title, source, labels, train, test } = task;
    this.#throwIfInterrupted();
    const created = clock.monotonic();
    const file = await this.#upload(`${name}.jsonl`, train);
    await this.#client.createModel({ id: name, base, training_file: file });
    const createMs = clock.monotonic() - created;
    const instantAccuracy = await this.#accuracy(`${name}@1`, test);
    output.line(`   ${name}: instant ${percent(instantAccuracy)} after ${seconds(createMs)}`);
    const trained = clock.monotonic();
    await this.#train(name, file, await this.#upload(`${name}-dev.jsonl`, task.dev));
    const trainMs = clock.monotonic() - trained;
    const versions = await this.#client.versions(name);
    const trainedAccuracy = await this.#accuracy(`${name}@${versions.length}`, test);
    const served = versions.find((version) => version.is_served)?.kind ?? "none";
    output.line(`   ${name}: trained ${percent(trainedAccuracy)} after ${seconds(trainMs)}`);
    return {
      name,
      title,
      source,
      labelCount: labels.length,
      trainCount: train.length,
      testCount: test.length,
      instantAccuracy,
      trainedAccuracy,
      served,
      createMs,
      trainMs,
    };
  }

  async #upload(name: string, examples: readonly LabelledText[]): Promise<string> {
    const lines = examples.map((example) => JSON.stringify(example)).join("\n");
    return (await this.#client.uploadFile(new Blob([lines]), name)).id;
  }

  async #train(model: string, training: string, validation: string): Promise<void> {
    const { clock, output, signal } = this.#parts;
    const job = await this.#client.createJob({
      model,
      training_file: training,
      validation_file: validation,
      seed,
      method: {
        type: "supervised",
        supervised: { hyperparameters: { n_epochs: trainingEpochCount } },
      },
    });
    const bar = await output.progress({ title: `   training ${model}`, total: 100 });
    try {
      const end = await this.#client.waitForJob(job.id, {
        clock,
        signal,
        onEvent: (event) => advance(bar, event),
      });
      // Training that stops early leaves steps over.
      bar.update(100);
      if (end.status === "succeeded") return;
      const state = end.error?.message ?? end.status;
      throw new StrataError("INTERNAL", `Cannot train "${model}": ${state}`);
    } finally {
      bar.close();
    }
  }

  /** All models of the demo with texts to send to each. */
  async #derive(tasks: readonly DemoTask[]): Promise<ReadonlyMap<string, readonly string[]>> {
    const models = new Map<string, readonly string[]>();
    for (const [index, { name, test }] of tasks.entries()) {
      const texts = test.map(({ text }) => text);
      models.set(name, texts);
      const isFirst = index < derivedCount % tasks.length;
      const count = Math.floor(derivedCount / tasks.length) + (isFirst ? 1 : 0);
      const ids = Array.from(
        { length: count },
        (_, n) => `${name}-${String(n + 1).padStart(4, "0")}`,
      );
      await this.#client.deriveModels(name, { ids, noise: derivedNoise, seed: seed + index });
      for (const id of ids) models.set(id, texts);
    }
    return models;
  }

  async #servedVersions(models: readonly string[]): Promise<readonly ModelVersion[]> {
    const served: ModelVersion[] = [];
    const names = models.values();
    const look = async (): Promise<void> => {
      for (const name of names)
        served.push(...(await this.#client.versions(name)).filter((version) => version.is_served));
    };
    await Promise.all(Array.from({ length: load.clientCount }, look));
    return served;
  }

  async #load(
    models: ReadonlyMap<string, readonly string[]>,
  ): Promise<LoadReport & { calledModelCount: number }> {
    const { clock, output, signal } = this.#parts;
    const random = new SeededRandom(seed);
    const names = [...models.keys()];
    const ranks = permutation(names.length, random);
    const draw = zipf(names.length, random);
    const called = new Set<string>();
    const send = async (): Promise<number> => {
      const model = names[ranks[draw()] ?? 0] ?? "";
      const texts = models.get(model) ?? [];
      called.add(model);
      const input = texts[random.integer(texts.length)] ?? "";
      return (await this.#client.classify({ model, input })).data.length;
    };
    const bar = await output.progress({ title: "   load", total: load.durationMs });
    const onProgress = (elapsedMs: number): void => bar.update(elapsedMs, seconds(elapsedMs));
    const report = await applyLoad({ ...load, clock, signal, send, onProgress });
    bar.close();
    this.#throwIfInterrupted();
    return { ...report, calledModelCount: called.size };
  }

  async #accuracy(model: string, test: readonly LabelledText[]): Promise<number> {
    let rightCount = 0;
    for (let start = 0; start < test.length; start += evaluationTextCount) {
      const slice = test.slice(start, start + evaluationTextCount);
      const input = slice.map(({ text }) => text);
      const ask = () => this.#client.classify({ model, input, top_k: 1 });
      const { data } = await untilAdmitted(ask, this.#parts);
      rightCount += data.filter(({ index, label }) => slice[index]?.label === label).length;
    }
    return rightCount / test.length;
  }

  #throwIfInterrupted(): void {
    if (!this.#parts.signal.aborted) return;
    throw new StrataError("CANCELLED", "Cannot finish the demo: interrupted");
  }
}

async function sayHowToGoOn({ url, apiKey }: DemoServer, output: Output): Promise<void> {
  const paint = await output.painter();
  const body = JSON.stringify({
    model: "mail-spam",
    input: "You have won a free cruise! Click here now to claim your prize.",
  });
  output.line();
  output.line(paint("bold", "The server stays up until Ctrl-C. Try it:"));
  output.line(`  ${paint("cyan", `${url}/#key=${apiKey}`)}`);
  output.line(`  curl -s ${url}/v1/classify \\`);
  output.line(`    -H 'authorization: Bearer ${apiKey}' \\`);
  output.line("    -H 'content-type: application/json' \\");
  output.line(`    -d '${body}'`);
}

function aborted(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve();
  return new Promise((resolve) =>
    signal.addEventListener("abort", () => resolve(), { once: true }),
  );
}
