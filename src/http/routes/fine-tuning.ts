/** Jobs in OpenAI's terms. */
import type { CreateJob, FineTuningJob, FineTuningJobEvent } from "../../contract/fine-tuning.ts";
import type { fineTuningRoutes, WireHyperparameters } from "../../contract/fine-tuning.ts";
import type { Caller } from "../../entities/caller.ts";
import {
  defaultLearningRate,
  heldOutPrefix,
  type Hyperparameters,
  isFinished,
} from "../../entities/job.ts";
import type { Job, JobEvent, JobSpecification } from "../../entities/job.ts";
import { StrataError } from "../../foundation/errors.ts";
import { requireRow, unlessRotten } from "../../storage/checks.ts";
import type { PageOptions, TenantCatalog } from "../../storage/storage.ts";
import { pageReply } from "../list-reply.ts";
import type { HandlersOf } from "../operation.ts";
import { rowsOf, unixSeconds } from "../paging.ts";
import type { Services } from "../services.ts";

export function fineTuningHandlers(services: Services): HandlersOf<typeof fineTuningRoutes> {
  const { clock, store, trainer } = services;
  const own = (caller: Caller): TenantCatalog => store.catalog.of(caller);
  return {
    createJob: async ({ caller, body }) =>
      jobObject(await trainer.submit(caller, specificationOf(body))),
    listJobs: async ({ caller, query }) => {
      const { limit, after, metadata = {} } = query;
      const wanted = { after, descending: true, where: { metadata } };
      return pageReply(rowsOf(own(caller).jobs, clock, wanted), { limit, toItem: jobObject });
    },
    retrieveJob: async ({ caller, params }) => jobObject(await requireJob(own(caller), params.id)),
    deleteJob: async ({ caller, params }) => {
      const { id } = params;
      const job = await unlessRotten(requireJob(own(caller), id));
      if (job !== undefined && !isFinished(job.status))
        throw new StrataError("CONFLICT", `Cannot delete the job "${id}": it is ${job.status}`);
      await own(caller).jobs.delete(id);
      return { id, object: "fine_tuning.job", deleted: true };
    },
    cancelJob: async ({ caller, params }) => jobObject(await trainer.cancel(caller, params.id)),
    listJobEvents: async ({ caller, params, query }) => {
      const { id } = await requireJob(own(caller), params.id);
      const { limit, after } = query;
      const { events } = own(caller);
      const table = { list: (options: PageOptions) => events.list(id, options) };
      const rows = rowsOf(table, clock, { after, descending: true });
      return pageReply(rows, { limit, toItem: eventObject });
    },
    listJobCheckpoints: async ({ caller, params }) => {
      await requireJob(own(caller), params.id);
      return { object: "list", data: [], has_more: false, first_id: null, last_id: null };
    },
  };
}

function requireJob({ jobs }: TenantCatalog, id: string): Promise<Job> {
  return requireRow("job", jobs, { id, field: "id" });
}

function specificationOf(body: CreateJob): JobSpecification {
  const { validation_file: validationFile, suffix, seed, metadata } = body;
  return {
    model: body.model,
    trainingFile: body.training_file,
    hyperparameters: chosen(
      united(body.hyperparameters ?? {}, body.method?.supervised?.hyperparameters ?? {}),
    ),
    ...(validationFile !== undefined && { validationFile }),
    ...(suffix !== undefined && { suffix }),
    ...(seed !== undefined && { seed }),
    ...(metadata !== undefined && { metadata }),
  };
}

/** OpenAI's clients may name the same values in an older place and in a newer one. */
function united(older: WireHyperparameters, newer: WireHyperparameters): WireHyperparameters {
  for (const [name, value] of Object.entries(older)) {
    const other = newer[name as keyof WireHyperparameters]; // One of its own keys.
    if (other === undefined || value === undefined || other === value) continue;
    const places = `hyperparameters says ${value}, method.supervised.hyperparameters ${other}`;
    throw new StrataError("INVALID_ARGUMENT", `Cannot read "${name}": ${places}`, {
      field: `hyperparameters.${name}`,
    });
  }
  return { ...older, ...newer };
}

/** What is "auto" is left to the trainer. */
function chosen(wire: WireHyperparameters): Partial<Hyperparameters> {
  const { n_epochs: epochs, batch_size: batch, learning_rate_multiplier: multiplier } = wire;
  const { adapter = "auto", rank, layers = "auto" } = wire;
  return {
    ...(typeof epochs === "number" && { epochCount: epochs }),
    ...(typeof batch === "number" && { batchSize: batch }),
    ...(typeof multiplier === "number" && { learningRate: multiplier * defaultLearningRate }),
    ...(adapter !== "auto" && { adapter }),
    ...(typeof rank === "number" && { rank }),
    ...(layers !== "auto" && { layers }),
  };
}

function jobObject(job: Job): FineTuningJob {
  const hyperparameters = wireHyperparameters(job.hyperparameters);
  return {
    id: job.id,
    object: "fine_tuning.job",
    created_at: unixSeconds(job.createdAt),
    error: job.error === undefined ? null : { ...job.error, param: null },
    fine_tuned_model: job.status === "succeeded" ? (job.model ?? null) : null,
    finished_at: job.finishedAt === undefined ? null : unixSeconds(job.finishedAt),
    hyperparameters,
    model: job.requestedModel,
    organization_id: "strata",
    result_files: [],
    status: job.status,
    trained_tokens: job.trainedTokens ?? null,
    training_file: job.trainingFile,
    validation_file: job.validationFile ?? null,
    seed: job.seed,
    estimated_finish: null,
    integrations: [],
    method: { type: "supervised", supervised: { hyperparameters } },
    metadata: { ...job.metadata },
  };
}

function wireHyperparameters(
  chosenOnes: Partial<Hyperparameters>,
): FineTuningJob["hyperparameters"] {
  const { epochCount, batchSize, learningRate, adapter, rank, layers } = chosenOnes;
  return {
    n_epochs: epochCount ?? "auto",
    batch_size: batchSize ?? "auto",
    learning_rate_multiplier:
      learningRate === undefined
        ? "auto"
        : // Twelve digits undo what the multiplication rounded.
          Number((learningRate / defaultLearningRate).toPrecision(12)),
    adapter: adapter ?? "auto",
    rank: rank ?? "auto",
    layers: layers ?? "auto",
  };
}

function eventObject(event: JobEvent): FineTuningJobEvent {
  return {
    id: event.id,
    object: "fine_tuning.job.event",
    created_at: unixSeconds(event.createdAt),
    level: event.level,
    message: event.message,
    type: event.type === "metrics" ? "metrics" : "message",
    data: { ...event.values },
    strata: { kind: event.type, scores: scoresOf(event) },
  };
}

function scoresOf({ values }: JobEvent): FineTuningJobEvent["strata"]["scores"] {
  return Object.entries(values).flatMap(([name, value]) =>
    name.startsWith(heldOutPrefix) ? [{ name: name.slice(heldOutPrefix.length), value }] : [],
  );
}
