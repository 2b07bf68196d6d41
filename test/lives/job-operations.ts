/** Jobs: asked for, cancelled, looked at, deleted. */
import type { AdaptedLayers, AdapterKindName } from "../../src/foundation/kind-names.ts";
import { contentOf } from "./contents.ts";
import type { Columns } from "./simulated-catalog.ts";
import { isFinal } from "./ledger-entries.ts";
import { idsOf } from "./file-operations.ts";
import { isFileGone } from "./model-operations.ts";
import { bodyOf, hadRotted, type Judgement, type Operation, type Wire } from "./operation.ts";
import { baseName } from "./tiny-base.ts";

const jobsPath = "/v1/fine_tuning/jobs";

function operation(
  what: string,
  wire: Wire,
  rest: Pick<Operation, "fault"> & Partial<Pick<Operation, "may" | "goesOn">>,
): Operation {
  return {
    what,
    wire,
    may: rest.may ?? (() => false),
    ...rest,
  };
}

/** An adapter must show in the answers after a step or two. */
const rateMultiplier = 200;

export interface JobRequest {
  /** A model, or the base: then the job makes a model of its own. */
  readonly model: string;
  readonly file: string;
  readonly seed: number;
  readonly epochCount: number;
  /** Undefined for what "auto" stands for. */
  readonly adapter: AskedAdapter | undefined;
}

export interface AskedAdapter {
  readonly adapter: AdapterKindName;
  readonly rank: number;
  readonly layers: AdaptedLayers;
}

export function createJob(request: JobRequest): Operation {
  const { model, file, seed, epochCount, adapter } = request;
  const learning = {
    n_epochs: epochCount,
    batch_size: 16,
    learning_rate_multiplier: rateMultiplier,
  };
  const supervised = { hyperparameters: { ...learning, ...adapter } };
  const method = { type: "supervised", supervised };
  return operation(
    `train ${model} on ${file} with ${JSON.stringify(adapter)}`,
    { method: "POST", path: jobsPath, json: { model, training_file: file, seed, method } },
    {
      may: (change) =>
        change.kind === "job added" &&
        change.row["requestedModel"] === model &&
        change.row["trainingFile"] === file &&
        change.row["seed"] === seed &&
        hasAdapter(change.row, adapter),
      fault: ({ status, body, message }, judgement) => {
        if (status === 400)
          return isOfOtherTask(request, judgement) ? undefined : `it is not so: ${message}`;
        if (status === 404) {
          const isGone =
            isFileGone(file, judgement) ||
            (model !== baseName &&
              judgement.ledger.statesOf(model, judgement.from).includes(undefined));
          return isGone ? undefined : `it is not so: ${message}`;
        }
        if (status !== 200) return "expected the job, or what it lacks";
        const { id } = bodyOf<{ readonly id: string }>({ body });
        const isThere = judgement.changes.some(
          (change) => change.kind === "job added" && change.id === id,
        );
        return isThere ? undefined : `job "${id}" was acknowledged and is not committed`;
      },
    },
  );
}

/** Whether the job's row says of the adapter what was asked for. */
function hasAdapter(row: Columns, adapter: AskedAdapter | undefined): boolean {
  const told = JSON.parse(String(row["hyperparameters"])) as Partial<AskedAdapter>; // Its fields.
  return (["adapter", "rank", "layers"] as const).every((name) => told[name] === adapter?.[name]);
}

/** Whether the model may be for another task than the file. */
function isOfOtherTask({ model, file }: JobRequest, { ledger, from }: Judgement): boolean {
  const task = contentOf(ledger.files.get(file)?.bytes ?? new Uint8Array())?.task;
  return ledger.statesOf(model, from).some((state) => state !== undefined && state.task !== task);
}

function statuses(id: string, { ledger, from, step }: Judgement): readonly string[] {
  return ledger.jobs.get(id)?.status.possible(from, step) ?? [];
}

function hasJobRotted(id: string, judgement: Judgement): boolean {
  const job = judgement.ledger.jobs.get(id);
  return job !== undefined && hadRotted(job, judgement);
}

export function cancelJob(id: string): Operation {
  return operation(
    `cancel ${id}`,
    { method: "POST", path: `${jobsPath}/${id}/cancel` },
    {
      // A job that runs stops at its next step, though nobody could wait for it.
      goesOn: true,
      may: (change) => change.kind === "job cancelled" && change.id === id,
      fault: ({ status, body, message }, judgement) => {
        const possible = statuses(id, judgement);
        if (status === 404) return possible.length === 0 ? undefined : "it is there";
        if (status === 409) return possible.some(isFinal) ? undefined : `it is not so: ${message}`;
        if (status !== 200) return "expected the job, or that it has ended";
        const { status: now } = bodyOf<{ readonly status: string }>({ body });
        if (!isFinal(now)) return `it was cancelled and is ${now}`;
        // It may have been deleted since.
        return possible.length === 0 || possible.includes(now) ? undefined : `it never was ${now}`;
      },
    },
  );
}

export function retrieveJob(id: string): Operation {
  return operation(
    `get ${id}`,
    { path: `${jobsPath}/${id}` },
    {
      fault: ({ status, body }, judgement) => {
        const possible = statuses(id, judgement);
        if (status === 404) return possible.length === 0 ? undefined : "it is there";
        if (status !== 200) return "expected the job";
        if (hasJobRotted(id, judgement)) return "its row has rotted, and is told";
        const { status: now } = bodyOf<{ readonly status: string }>({ body });
        return possible.length === 0 || possible.includes(now) ? undefined : `it never was ${now}`;
      },
    },
  );
}

export function deleteJob(id: string): Operation {
  return operation(
    `delete ${id}`,
    { method: "DELETE", path: `${jobsPath}/${id}` },
    {
      may: (change) => change.kind === "job removed" && change.id === id,
      fault: ({ status }, judgement) => {
        const possible = statuses(id, judgement);
        if (status === 404) return possible.length === 0 ? undefined : "it is there";
        if (status === 409) return possible.every(isFinal) ? "it has ended" : undefined;
        if (status !== 200) return "expected its deletion";
        return judgement.ledger.jobs.has(id) ? "a deleted job is there" : undefined;
      },
    },
  );
}

export function listJobs(): Operation {
  return operation(
    "list jobs",
    { path: `${jobsPath}?limit=100` },
    {
      fault: (answer, judgement) => {
        const { others } = judgement;
        const listed = idsOf(answer);
        if (listed === undefined) return "expected a list";
        const rotten = listed.find((id) => hasJobRotted(id, judgement));
        if (rotten !== undefined) return `the row of "${rotten}" has rotted, and is listed`;
        const foreign = listed.find((id) => others.some(({ jobs }) => jobs.has(id)));
        return foreign === undefined ? undefined : `"${foreign}" is another tenant's`;
      },
    },
  );
}

export function listEvents(id: string): Operation {
  return operation(
    `events of ${id}`,
    { path: `${jobsPath}/${id}/events` },
    {
      fault: (answer, judgement) => {
        const possible = statuses(id, judgement);
        if (answer.status === 404) return possible.length === 0 ? undefined : "it is there";
        return idsOf(answer) === undefined ? "expected a list" : undefined;
      },
    },
  );
}
