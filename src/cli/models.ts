/** Commands on models and jobs: create, list, show, alias, cancel. */
import type { Command } from "commander";
import { Argument, Option } from "commander";
import type { FineTuningJob, FineTuningJobEvent } from "../contract/fine-tuning.ts";
import {
  adapterWords,
  damageWords,
  figureWords,
  servingWords,
  verdictWords,
} from "../client/version-words.ts";
import type { Model, ModelVersion } from "../contract/models.ts";
import { type TaskName, taskNames } from "../foundation/kind-names.ts";
import { StrataError } from "../foundation/errors.ts";
import { visible } from "../foundation/visible.ts";
import type { CommandContext } from "./command-context.ts";
import { integerBetween } from "./command-context.ts";
import type { Output } from "./output.ts";
import { formatBytes } from "./output.ts";
import type { RemoteOptions, Session } from "./remote.ts";
import { connect, readLocal, remote, withUploads } from "./remote.ts";

/** Commands on what is there. */
export function addModelCommands(program: Command, context: CommandContext): void {
  addList(program, context);
  addShow(program, context);
  addAlias(program, context);
  addCancel(program, context);
}

interface CreateFlags extends RemoteOptions {
  readonly base: string;
  readonly task?: TaskName;
  readonly labels?: string;
  readonly file?: string;
}

export function addCreate(program: Command, context: CommandContext): void {
  const command = program
    .command("create")
    .argument("<name>", "letters, digits, _ . -")
    .description("Create a custom model; with --file it answers within seconds.")
    .requiredOption("--base <base>", "the base model that it stands on")
    .option("--labels <a,b>", "labels, separated by commas, for a model to be trained later")
    .option("--file <path>", "labelled texts: JSON lines or CSV; entities: JSON lines or CoNLL")
    .addOption(new Option("--task <task>", "the file's when there is one").choices(taskNames))
    .action(async (name: string, flags: CreateFlags) => {
      const session = await connect(flags, context);
      const model = await create(session, name, flags);
      await session.output.result(model, () => printModel(session.output, model));
    });
  remote(command, context, [
    "strata create tickets --base all-MiniLM-L6-v2 --file tickets.jsonl",
    "strata create mood --base all-MiniLM-L6-v2 --labels good,bad",
    "strata create places --base all-MiniLM-L6-v2 --task token-classification --labels city,river",
  ]);
}

async function create(session: Session, id: string, flags: CreateFlags): Promise<Model> {
  const { base, task, labels, file } = flags;
  const specification = { id, base, ...(task !== undefined && { task }) };
  if ((labels === undefined) === (file === undefined)) {
    const expected = "expected either --labels or --file";
    throw new StrataError("INVALID_ARGUMENT", `Cannot create "${id}": ${expected}`);
  }
  const files = file === undefined ? [] : [await readLocal(file)];
  // Whatever is wrong with the words is told before a file of some size travels.
  await checkFree(session, id);
  await checkBase(session, id, base);
  if (file === undefined) {
    const names = labels?.split(",").map((label) => label.trim()) ?? [];
    return session.client.createModel({ ...specification, labels: names });
  }
  return withUploads(session, files, ([uploaded = ""]) =>
    session.client.createModel({ ...specification, training_file: uploaded }),
  );
}

async function checkFree({ client }: Session, id: string): Promise<void> {
  const found = await unlessAbsent(client.model(id));
  if (found === undefined) return;
  const kind = found.strata.kind === "base" ? "base model" : "model";
  const message = `Cannot create model "${id}": there is a ${kind} of this name`;
  throw new StrataError("ALREADY_EXISTS", message, { field: "id" });
}

async function checkBase({ client }: Session, id: string, base: string): Promise<void> {
  const found = await unlessAbsent(client.model(base));
  if (found?.strata.kind === "base") return;
  const bases: string[] = [];
  for await (const { id: name, strata } of client.models()) {
    if (strata.kind !== "base") break;
    bases.push(name);
  }
  throw new StrataError(
    "INVALID_ARGUMENT",
    `Cannot create model "${id}": there is no base model "${base}" on the server, which has ` +
      bases.join(", "),
    { field: "base" },
  );
}

async function unlessAbsent<T>(answer: Promise<T>): Promise<T | undefined> {
  try {
    return await answer;
  } catch (error) {
    if (error instanceof StrataError && error.code === "NOT_FOUND") return undefined;
    throw error;
  }
}

interface ListFlags extends RemoteOptions {
  readonly limit?: number;
}

function addList(program: Command, context: CommandContext): void {
  const kinds = new Argument("[what]", "what to list").choices(["models", "jobs", "files"]);
  const command = program
    .command("list")
    .addArgument(kinds.default("models"))
    .description("List models, training jobs or uploaded files: all of them, or the first ones.")
    .option("--limit <count>", "at most so many", integerBetween(1, 2 ** 31 - 1))
    .action(async (what: string, { limit = Infinity, ...flags }: ListFlags) => {
      const session = await connect(flags, context);
      if (what === "jobs") await listJobs(session, limit);
      else if (what === "files") await listFiles(session, limit);
      else await listModels(session, limit);
    });
  remote(command, context, ["strata list", "strata list jobs --limit 5 --json"]);
}

/** Page after page, until there are so many or no more. */
async function firstOf<Item>(items: AsyncIterable<Item>, count: number): Promise<Item[]> {
  const first: Item[] = [];
  for await (const item of items) {
    first.push(item);
    if (first.length === count) break;
  }
  return first;
}

async function listModels({ client, output }: Session, limit: number): Promise<void> {
  const models = await firstOf(client.models(), limit);
  const cells = models.map(({ id, parent, strata }) =>
    strata.kind === "base"
      ? [id, "base", "", ""]
      : [id, parent ?? "", versionCell(strata), shortened(labelsOf(strata.labels))],
  );
  await output.result(models, () => output.table(["model", "base", "version", "labels"], cells));
}

async function listJobs({ client, output }: Session, limit: number): Promise<void> {
  const jobs = await firstOf(client.jobs(), limit);
  const cells = jobs.map((job) => [
    job.id,
    job.status,
    job.fine_tuned_model ?? job.model,
    localTime(job.created_at),
  ]);
  await output.result(jobs, () => output.table(["job", "status", "model", "created (UTC)"], cells));
}

async function listFiles({ client, output }: Session, limit: number): Promise<void> {
  const files = (await client.files()).slice(0, limit);
  const cells = files.map((file) => [
    file.id,
    file.filename,
    file.strata.task ?? "",
    formatBytes(file.bytes),
    file.status,
    localTime(file.created_at),
  ]);
  const titles = ["file", "name", "examples of", "size", "status", "created (UTC)"];
  await output.result(files, () => output.table(titles, cells));
}

function addShow(program: Command, context: CommandContext): void {
  const command = program
    .command("show")
    .argument("<name>", "a model, <model>@<version>, or the id of a job or file")
    .description("Show a model with its versions, a job with its events, or a file.")
    .action(async (name: string, flags: RemoteOptions) => {
      const session = await connect(flags, context);
      if (name.startsWith("ftjob-")) await showJob(session, name);
      else if (name.startsWith("file-")) await showFile(session, name);
      else await showModel(session, name);
    });
  remote(command, context, ["strata show tickets", "strata show ftjob-… --json"]);
}

async function showModel({ client, output }: Session, words: string): Promise<void> {
  const [, name = words, number] = /^(.+)@([1-9]\d*)$/.exec(words) ?? [];
  const model = await client.model(name);
  const all = model.strata.kind === "base" ? [] : await client.versions(name);
  const versions = all.filter(({ version }) => (number ?? `${version}`) === `${version}`);
  if (number !== undefined && versions.length === 0)
    throw new StrataError(
      "NOT_FOUND",
      `Cannot show version ${number} of "${name}": no such version`,
      {
        field: "version",
      },
    );
  await output.result({ model, versions }, async () => {
    printModel(output, model);
    if (versions.length === 0) return;
    output.line();
    await output.table(
      ["version", "kind", "serving", "adapter", "size", "held out", "created (UTC)"],
      versions.map((version) => versionCells(version, all)),
    );
    for (const version of versions) {
      // Of the one that serves it is told above.
      const damage = version.is_served ? "" : damageWords(version);
      for (const words of [damage, verdictWords(version)])
        if (words !== "") output.line(`version ${version.version}, ${words}`);
    }
  });
}

/** Why each was served, now that it has been published, or was not. */
export function printVerdicts(output: Output, versions: readonly ModelVersion[]): void {
  for (const { version, verdict } of versions)
    if (verdict !== null) output.line(`version ${version}: ${verdict}`);
}

function versionCells(version: ModelVersion, versions: readonly ModelVersion[]): string[] {
  return [
    String(version.version),
    version.kind,
    servingWords(version, versions),
    adapterWords(version),
    formatBytes(version.bytes),
    figureWords(version),
    localTime(version.created_at),
  ];
}

async function showJob({ client, output }: Session, id: string): Promise<void> {
  const job = await client.job(id);
  const oldestFirst: FineTuningJobEvent[] = [];
  for await (const event of client.jobEvents(id)) oldestFirst.push(event);
  oldestFirst.reverse();
  await output.result({ job, events: oldestFirst }, () => {
    printJob(output, job);
    for (const event of oldestFirst)
      output.line(`${localTime(event.created_at)}  ${event.level.padEnd(5)} ${event.message}`);
  });
}

async function showFile({ client, output }: Session, id: string): Promise<void> {
  const file = await client.file(id);
  await output.result(file, () => {
    output.line(`${file.id}: ${file.filename}, ${formatBytes(file.bytes)}, ${file.status}`);
    if (file.status_details !== null) output.line(file.status_details);
  });
}

function addAlias(program: Command, context: CommandContext): void {
  const command = program
    .command("alias")
    .argument("<name>", "a custom model")
    .argument("<version>", "the version that shall answer", integerBetween(1, 2 ** 31 - 1))
    .description("Let another version of a model answer, for example to roll back.")
    .action(async (name: string, version: number, flags: RemoteOptions) => {
      const { client, output } = await connect(flags, context);
      const model = await client.serveVersion(name, version);
      await output.result(model, () => printModel(output, model));
    });
  remote(command, context, ["strata alias tickets 1"]);
}

function addCancel(program: Command, context: CommandContext): void {
  const command = program
    .command("cancel")
    .argument("<job>", "the id of a training job")
    .description("Cancel a training job that has not finished.")
    .action(async (id: string, flags: RemoteOptions) => {
      const { client, output } = await connect(flags, context);
      const job = await client.cancelJob(id);
      await output.result(job, () => printJob(output, job));
    });
  remote(command, context, ["strata cancel ftjob-…"]);
}

function printModel(output: Output, { id, parent, strata }: Model): void {
  if (strata.kind === "base") {
    output.line(`${id}: base model, ${strata.layer_count} layers × ${strata.hidden_size}`);
    return;
  }
  output.line(`${id}: ${strata.task} on ${parent ?? ""}, version ${versionName(strata.version)}`);
  const damage = damageWords(strata);
  if (damage !== "") output.line(damage);
  output.line(`labels: ${labelsOf(strata.labels)}`);
}

export function printJob(output: Output, job: FineTuningJob): void {
  output.line(`${job.id}: ${job.status}, model ${job.fine_tuned_model ?? job.model}`);
  if (job.error !== null) output.line(`${job.error.code}: ${job.error.message}`);
}

function labelsOf(labels: readonly string[]): string {
  return labels.map(visible).join(", ");
}

function versionName(version: number | null): string {
  return version === null ? "none yet" : String(version);
}

/** The version that answers, or would if it were not damaged. */
function versionCell({ version, fault }: Extract<Model["strata"], { kind: "vplm" }>): string {
  return fault === null ? versionName(version) : `${versionName(version)}, damaged`;
}

function shortened(text: string): string {
  return text.length <= 48 ? text : `${text.slice(0, 47)}…`;
}

function localTime(unixSeconds: number): string {
  return new Date(unixSeconds * 1000).toISOString().slice(0, 16).replace("T", " ");
}
