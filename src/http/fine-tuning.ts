/** Jobs in OpenAI's terms. */
import type { CreateJob, FineTuningJob, FineTuningJobEvent } from "../contract/fine-tuning.ts";
import type { fineTuningRoutes, WireHyperparameters } from "../contract/fine-tuning.ts";
import { defaultLearningRate, type Hyperparameters } from "../entities/job.ts";
import type { Job, JobEvent, JobSpecification } from "../entities/job.ts";
import { StrataError } from "../foundation/errors.ts";
import type { PageOptions, Store } from "../storage/storage.ts";
import type { HandlersOf } from "./operation.ts";
import { filteredRows, pageOf, unixSeconds } from "./paging.ts";
import type { Services } from "./services.ts";

export function fineTuningHandlers(services: Services): HandlersOf<typeof fineTuningRoutes> {
  const { store, trainer } = services;
  return {
    createJob: async ({ body }) => jobObject(await trainer.submit(specificationOf(body))),
    listJobs: async ({ query }) => {
      const wanted = Object.entries(query.metadata ?? {});
      const isWanted = ({ metadata }: Job): boolean =>
        wanted.every(([key, value]) => metadata[key] === value);
      const rows = await filteredRows(store.catalog.jobs, newestFirst(query), isWanted);
      return pageOf(rows, query.limit, jobObject);
    },
    retrieveJob: async ({ params }) => jobObject(await requireJob(store, params.id)),
    cancelJob: async ({ params }) => {
      const { id } = await requireJob(store, params.id);
      return jobObject(await trainer.cancel(id));
    },
    listJobEvents: async ({ params, query }) => {
      const { id } = await requireJob(store, params.id);
      const rows = await store.catalog.events.list(id, newestFirst(query));
      return pageOf(rows, query.limit, eventObject);
    },
    listJobCheckpoints: async ({ params }) => {
      await requireJob(store, params.id);
      return { object: "list", data: [], has_more: false, first_id: null, last_id: null };
    },
  };
}

/** One row more than asked for tells whether there are more. */
function newestFirst(query: { limit: number; after?: string | undefined }): PageOptions {
  const { limit, after } = query;
  return { limit: limit + 1, descending: true, ...(after !== undefined && { after }) };
}

async function requireJob(store: Store, id: string): Promise<Job> {
  const job = await store.catalog.jobs.get(id);
  if (job !== undefined) return job;
  throw new StrataError("NOT_FOUND", `The job "${id}" does not exist`, { field: "id" });
}

function specificationOf(body: CreateJob): JobSpecification {
  const { validation_file: validationFile, suffix, seed, metadata } = body;
  return {
    model: body.model,
    trainingFile: body.training_file,
    hyperparameters: chosen({
      ...body.hyperparameters,
      ...body.method?.supervised?.hyperparameters,
    }),
    ...(validationFile !== undefined && { validationFile }),
    ...(suffix !== undefined && { suffix }),
    ...(seed !== undefined && { seed }),
    ...(metadata !== undefined && { metadata }),
  };
}

/** What is "auto" is left to the trainer. */
function chosen(wire: WireHyperparameters): Partial<Hyperparameters> {
  const { n_epochs: epochs, batch_size: batch, learning_rate_multiplier: multiplier } = wire;
  return {
    ...(typeof epochs === "number" && { epochCount: epochs }),
    ...(typeof batch === "number" && { batchSize: batch }),
    ...(typeof multiplier === "number" && { learningRate: multiplier * defaultLearningRate }),
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
  const { epochCount, batchSize, learningRate } = chosenOnes;
  return {
    n_epochs: epochCount ?? "auto",
    batch_size: batchSize ?? "auto",
    learning_rate_multiplier:
      learningRate === undefined
        ? "auto"
        : // Twelve digits undo what the multiplication rounded.
          Number((learningRate / defaultLearningRate).toPrecision(12)),
  };
}

function eventObject(event: JobEvent): FineTuningJobEvent {
  return {
    id: event.id,
    object: "fine_tuning.job.event",
    created_at: unixSeconds(event.createdAt),
    level: event.level,
    message: event.message,
    type: event.type,
    data: { ...event.values },
  };
}
