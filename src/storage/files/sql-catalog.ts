/**
 * The catalog as SQL through Kysely. One connection writes, which Kysely lends to one transaction
 * at a time; another one reads, so that a long transaction keeps nobody waiting who only reads.
 * What a method has answered for is committed, and what was committed is read.
 */
import type { Kysely } from "kysely";
import type { BaseModel } from "../../entities/base-model.ts";
import type { Tenant } from "../../entities/caller.ts";
import type { JobEvent } from "../../entities/job.ts";
import type { TrainingFile } from "../../entities/training-file.ts";
import type { VirtualModel } from "../../entities/virtual-model.ts";
import type { Log } from "../../foundation/telemetry.ts";
import { pageStartMissing } from "../checks.ts";
import type { Catalog, EventTable, TenantCatalog } from "../storage.ts";
import { CatalogWriter, type CatalogWriterParts } from "./catalog-writer.ts";
import { jobForm, modelForm } from "./records.ts";
import { RowReader } from "./row-reader.ts";
import type { CatalogTables } from "./schema.ts";
import { SqlSystem } from "./sql-system.ts";
import { SqlTable, type TableParts } from "./sql-table.ts";
import { SqlVersions } from "./sql-versions.ts";

const baseForm = { table: "bases", jsonColumns: ["config"] };
const fileForm = { table: "files", jsonColumns: [] };
const jobTableForm = {
  ...jobForm,
  entries: { field: "metadata", table: "jobMetadata" },
} as const;
const eventForm = {
  table: "events",
  jsonColumns: ["values"],
  parent: { field: "job", table: "jobs" },
};

export interface SqlCatalogParts extends CatalogWriterParts {
  readonly reads: Kysely<CatalogTables>;
  readonly log: Log;
}

export function sqlCatalog(given: SqlCatalogParts): Catalog {
  const { reads: database, log } = given;
  const parts = { database, writer: new CatalogWriter(given), reader: new RowReader(log) };
  return {
    bases: new SqlTable<BaseModel>(parts, baseForm),
    of: ({ tenant }) => viewOf(parts, tenant),
    system: new SqlSystem(parts),
  };
}

function viewOf(parts: TableParts, tenant: Tenant): TenantCatalog {
  return {
    models: new SqlTable<VirtualModel>(parts, modelForm, tenant),
    versions: new SqlVersions(parts, tenant),
    jobs: new SqlTable(parts, jobTableForm, tenant),
    events: eventTable(new SqlTable<JobEvent>(parts, eventForm, tenant)),
    files: new SqlTable<TrainingFile>(parts, fileForm, tenant),
  };
}

function eventTable(events: SqlTable<JobEvent>): EventTable {
  return {
    append: (event) => events.insert(event),
    async list(job, options) {
      const { after } = options;
      if (after !== undefined && (await events.get(after))?.job !== job)
        throw pageStartMissing("events", after);
      return events.list({ ...options, where: { job } });
    },
  };
}
