/** `strata train`: upload, start the job, and with `--wait` follow it to its end. */
import { type Command, Option } from "commander";
import type { FineTuningJob, FineTuningJobEvent } from "../contract/fine-tuning.ts";
import type { ErrorCode } from "../foundation/errors.ts";
import { StrataError, errorCodes } from "../foundation/errors.ts";
import {
  type AdaptedLayers,
  adaptedLayersNames,
  type AdapterKindName,
  adapterKindNames,
  defaultAdapter as usual,
} from "../foundation/kind-names.ts";
import { limits } from "../foundation/limits.ts";
import type { CommandContext } from "./command-context.ts";
import { integerBetween, positiveNumber } from "./command-context.ts";
import { printJob, printVerdicts } from "./models.ts";
import type { Progress } from "./output.ts";
import type { RemoteOptions, Session } from "./remote.ts";
import { connect, readLocal, remote, withUploads } from "./remote.ts";

interface TrainFlags extends RemoteOptions {
  readonly file: string;
  readonly validation?: string;
  readonly epochs?: number;
  readonly batchSize?: number;
  readonly learningRateMultiplier?: number;
  readonly adapter?: AdapterKindName;
  readonly rank?: number;
  readonly layers?: AdaptedLayers;
  readonly seed?: number;
  readonly suffix?: string;
  readonly wait?: boolean;
}

export function addTrain(program: Command, context: CommandContext): void {
  const adapter = new Option("--adapter <kind>", `what is learned (default: ${usual.kind})`);
  const layers = new Option(
    "--layers <which>",
    `of the base that it acts in (default: ${usual.layers})`,
  );
  const command = program
    .command("train")
    .argument("<model>", "a custom model to train anew, or a base for a new one")
    .description(
      "Train on labelled texts; the new version serves unless held-out texts speak against it.",
    )
    .requiredOption(
      "--file <path>",
      "labelled texts: JSON lines or CSV; entities: JSON lines or CoNLL",
    )
    .option("--validation <path>", "texts to judge by (default: a part of the file)")
    .option(
      "--epochs <count>",
      "passes over the texts (default: 8, or more of few)",
      integerBetween(1, limits.epochCountMax),
    )
    .option(
      "--batch-size <n>",
      "texts a step (default: 16)",
      integerBetween(1, limits.trainingBatchSizeMax),
    )
    .option("--learning-rate-multiplier <x>", "times the rate that fits", positiveNumber)
    .addOption(adapter.choices(adapterKindNames))
    .option(
      "--rank <n>",
      "size of the adapter (default: 16; lora: 8)",
      integerBetween(1, limits.adapterRankMax),
    )
    .addOption(layers.choices(adaptedLayersNames))
    .option("--seed <number>", "same seed, same model (default: 0)", integerBetween(0, 2 ** 31 - 1))
    .option("--suffix <name>", "part of the name of a new model")
    .option("--wait", "show progress until the job has finished")
    .action(async (model: string, flags: TrainFlags) => {
      const session = await connect(flags, context);
      const job = await submit(session, model, flags);
      const last = flags.wait === true ? await follow(session, job.id) : job;
      await session.output.result(last, async () => {
        printJob(session.output, last);
        if (flags.wait !== true) session.output.line(`Look at it: strata show ${job.id}`);
        else if (last.fine_tuned_model !== null)
          await printOutcome(session, last.id, last.fine_tuned_model);
      });
      throwUnlessWell(last);
    });
  remote(command, context, [
    "strata train tickets --file tickets.jsonl --wait",
    "strata train all-MiniLM-L6-v2 --file mood.csv --suffix mood --epochs 5 --seed 7",
    "strata train tickets --file tickets.jsonl --adapter lora --rank 8 --layers all --wait",
  ]);
}

async function submit(session: Session, model: string, flags: TrainFlags): Promise<FineTuningJob> {
  const files = [await readLocal(flags.file)];
  if (flags.validation !== undefined) files.push(await readLocal(flags.validation));
  // A name that is not there is told before a file of some size travels.
  await session.client.model(model);
  const { epochs, batchSize, learningRateMultiplier, seed, suffix, adapter, rank, layers } = flags;
  const hyperparameters = {
    ...(epochs !== undefined && { n_epochs: epochs }),
    ...(batchSize !== undefined && { batch_size: batchSize }),
    ...(learningRateMultiplier !== undefined && {
      learning_rate_multiplier: learningRateMultiplier,
    }),
    ...(adapter !== undefined && { adapter }),
    ...(rank !== undefined && { rank }),
    ...(layers !== undefined && { layers }),
  };
  return withUploads(session, files, ([training = "", validation]) =>
    session.client.createJob({
      model,
      training_file: training,
      ...(validation !== undefined && { validation_file: validation }),
      ...(seed !== undefined && { seed }),
      ...(suffix !== undefined && { suffix }),
      method: { type: "supervised", supervised: { hyperparameters } },
    }),
  );
}

/** The finished job. CANCELLED on Ctrl-C, while the job goes on. */
async function follow(session: Session, id: string): Promise<FineTuningJob> {
  const { clock, signal } = session.context.surroundings;
  session.output.note(`Job ${id}`);
  const progress = await session.output.progress({ title: "training", total: 100 });
  const told: string[] = [];
  try {
    const onEvent = (event: FineTuningJobEvent): void => {
      advance(progress, event);
      if (isTold(event)) told.push(event.message);
    };
    const job = await session.client.waitForJob(id, { clock, signal, onEvent });
    // Training that stops early leaves steps over.
    if (job.status === "succeeded") progress.update(100);
    return job;
  } catch (error) {
    const look = `look at it with "strata show ${id}"`;
    if (!signal.aborted && error instanceof StrataError && error.code === "UNAVAILABLE") {
      const state = `${error.message}; the job goes on when the server is back; ${look}`;
      throw new StrataError("UNAVAILABLE", state, { cause: error });
    }
    if (!signal.aborted) throw error;
    const cure = `the job goes on; ${look}`;
    throw new StrataError("CANCELLED", `Cannot wait for the end: interrupted; ${cure}`);
  } finally {
    progress.close();
    // A line amid the bar would tear it.
    for (const message of told) session.output.note(message);
  }
}

/** Remarks, and that an instant version answers meanwhile. */
function isTold({ level, strata }: FineTuningJobEvent): boolean {
  return level === "warn" || strata.kind === "instant_version";
}

/** Whether the version that the job made is served, and why. */
async function printOutcome(
  { client, output }: Session,
  job: string,
  model: string,
): Promise<void> {
  const versions = await client.versions(model);
  printVerdicts(
    output,
    versions.filter((version) => version.job === job),
  );
}

/** Moves the bar by the numbers of a job's event. */
export function advance(progress: Progress, { data, strata }: FineTuningJobEvent): void {
  const { step, total_steps: stepCount, epoch, train_loss: loss } = data;
  if (step === undefined || stepCount === undefined) return;
  const parts = [
    ...(epoch === undefined ? [] : [`epoch ${epoch}`]),
    ...(loss === undefined ? [] : [`loss ${loss.toFixed(3)}`]),
    // Each task has a score of its own name.
    ...strata.scores.map(({ name, value }) => `held-out ${name} ${(100 * value).toFixed(1)} %`),
  ];
  progress.update((100 * step) / Math.max(stepCount, 1), parts.join(", "));
}

function throwUnlessWell({ id, status, error }: FineTuningJob): void {
  if (status === "cancelled")
    throw new StrataError("CANCELLED", `Cannot train: ${id} was cancelled`);
  if (status !== "failed") return;
  const code = (error?.code ?? "INTERNAL").toUpperCase();
  const known = Object.hasOwn(errorCodes, code);
  const reason = error?.message ?? `${id} failed`;
  throw new StrataError(
    known ? (code as ErrorCode) : "INTERNAL", // `hasOwn` has checked it
    reason.startsWith("Cannot ") ? reason : `Cannot train: ${reason}`,
  );
}
