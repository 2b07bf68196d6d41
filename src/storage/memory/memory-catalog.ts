/** The catalog without a disk: rows of all tenants lie together, and tables show one tenant's. */
import type { BaseModel } from "../../entities/base-model.ts";
import { operator, type Tenant } from "../../entities/caller.ts";
import type { Job, JobEvent } from "../../entities/job.ts";
import type { TrainingFile } from "../../entities/training-file.ts";
import type { Version, VirtualModel } from "../../entities/virtual-model.ts";
import type { Digest } from "../../foundation/digest.ts";
import { pageStartMissing, rowMissing } from "../checks.ts";
import type { Catalog, EventTable, SystemCatalog, TenantCatalog } from "../storage.ts";
import { keyOf, MemoryTable, type Rows } from "./memory-table.ts";
import { MemoryVersions } from "./memory-versions.ts";

interface AllRows {
  readonly models: Rows<VirtualModel>;
  /** Versions by tenant and incarnation, then by number. */
  readonly versions: Map<string, readonly Version[]>;
  readonly jobs: Rows<Job>;
  readonly events: Rows<JobEvent>;
  readonly files: Rows<TrainingFile>;
}

export function memoryCatalog(): Catalog {
  const all: AllRows = {
    models: new Map(),
    versions: new Map(),
    jobs: new Map(),
    events: new Map(),
    files: new Map(),
  };
  return {
    // They are nobody's own: one name for the owner serves all.
    bases: new MemoryTable<BaseModel>("bases", { rows: new Map(), tenant: operator.tenant }),
    of: ({ tenant }) => viewOf(all, tenant),
    system: memorySystem(all),
  };
}

function viewOf(all: AllRows, tenant: Tenant): TenantCatalog {
  const events = new MemoryTable("events", { rows: all.events, tenant });
  const models = new MemoryTable("models", {
    rows: all.models,
    tenant,
    removed: ({ incarnation }) => all.versions.delete(keyOf(tenant, incarnation)),
  });
  const jobs = new MemoryTable("jobs", {
    rows: all.jobs,
    tenant,
    removed({ id }) {
      for (const event of events.rows()) if (event.job === id) events.remove(event.id);
    },
  });
  return {
    models,
    versions: new MemoryVersions(all.versions, { models, tenant }),
    jobs,
    events: eventTable(events, jobs),
    files: new MemoryTable("files", { rows: all.files, tenant }),
  };
}

function eventTable(events: MemoryTable<JobEvent>, jobs: MemoryTable<Job>): EventTable {
  return {
    async append(event) {
      if (!jobs.has(event.job)) throw rowMissing("jobs", event.job);
      await events.insert(event);
    },
    async list(job, options) {
      const { after } = options;
      if (after !== undefined && (await events.get(after))?.job !== job)
        throw pageStartMissing("events", after);
      return events.list({ ...options, where: { job } });
    },
  };
}

function memorySystem({ models, versions, jobs, files }: AllRows): SystemCatalog {
  const named = (): Digest[] => {
    const rows = [...versions.values()].flat();
    const evidence = rows.flatMap((version) => version.evidence ?? []);
    return [...[...rows, ...files.values()].map(({ blob }) => blob), ...evidence];
  };
  return {
    hasModel: async (id) => [...models.values()].some((model) => model.id === id),
    modelOn: async (base) => [...models.values()].find((model) => model.base === base)?.id,
    countModels: async () => models.size,
    async *jobs() {
      yield* structuredClone([...jobs.values()]);
    },
    countBlobUses: async (blob) => named().filter((digest) => digest === blob).length,
    namedBlobs: async () => new Set(named()),
  };
}
