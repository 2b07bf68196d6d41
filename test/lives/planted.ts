/**
 * Known faults, put back around the sound components: each is a mistake that was once made, or that
 * the next change could make. A simulator that does not find them proves nothing.
 */
import type { Caller } from "../../src/entities/caller.ts";
import type { TrainingFile } from "../../src/entities/training-file.ts";
import { type Digest, digestOf } from "../../src/foundation/digest.ts";
import type { Ids } from "../../src/foundation/random.ts";
import { AdapterPool, type WantedWeights } from "../../src/engine/adapter-pool.ts";
import type { Resident } from "../../src/lanes/lane.ts";
import type { BatchRow } from "../../src/lanes/lane.ts";
import type { OpenBase } from "../../src/processor/open-base.ts";
import type { Around } from "../../src/server/compose-server.ts";
import { unlessRotten } from "../../src/storage/checks.ts";
import { BlobKeeper } from "../../src/storage/blob-keeper.ts";
import type { Sqlite } from "../../src/storage/files/sqlite.ts";
import type { FileOperations } from "../../src/storage/files/file-operations.ts";
import type { BlobDriver, Catalog, Keeper } from "../../src/storage/storage.ts";
import { type KeptParts, sweepBlobs } from "../../src/storage/sweep.ts";
import type { Machine } from "./machine.ts";
import type { Profile } from "./profile.ts";
import { keyHolders } from "./tenants.ts";

/** What is put around the components when they are put together. */
export interface Plant extends Around {
  readonly name: string;
  /** What of a seed's world is otherwise, so that it shows soon. */
  readonly world?: Partial<Profile>;
  files?(files: FileOperations): FileOperations;
  blobs?(blobs: BlobDriver, machine: Machine): BlobDriver;
  catalog?(catalog: Catalog, machine: Machine): Catalog;
  readonly reading?: (reading: Sqlite) => void;
  keeper?(parts: KeptParts): Keeper;
  ids?(ids: Ids): Ids;
  base?(base: OpenBase): OpenBase;
  pool?(options: ConstructorParameters<typeof AdapterPool>[0]): AdapterPool;
}

/** The product as it is. */
export const soundProduct: Plant = { name: "none" };

/** An object with some of its methods replaced; the others keep their `this`. */
function changed<T extends object>(target: T, change: Partial<T>): T {
  return new Proxy(target, {
    get(_, name) {
      const owner = name in change ? change : target;
      const member: unknown = Reflect.get(owner, name);
      if (typeof member !== "function") return member;
      return (...given: unknown[]): unknown => Reflect.apply(member, owner, given);
    },
  });
}

class UnpinnedPool extends AdapterPool {
  override pin(wanted: WantedWeights): Resident | undefined {
    const resident = super.pin(wanted);
    if (resident !== undefined) super.release(wanted.blob);
    return resident;
  }

  override release(): void {}
}

/** Batches are slow, and many ask. */
const crowded: Partial<Profile> = { slowness: 300, clientCount: 12, thinkMs: 2 };

/** The row as it would be without its adapter. */
function withHeadAlone(row: BatchRow): BatchRow {
  const head = [...(row.resident ?? [])].filter(([name]) => name.startsWith("head."));
  return { ...row, adapter: undefined, resident: row.resident && new Map(head) };
}

export const plants: readonly Plant[] = [
  {
    // Whoever holds on to a model holds its name alone: a job publishes into the next one of it.
    name: "a name is an identity",
    creator: (creator) =>
      changed(creator, {
        create: (caller, specification, fit) => {
          const ofName = `vplm-${digestOf(specification.id).slice(7, 31)}` as const;
          const { incarnation = ofName } = specification;
          return creator.create(caller, { ...specification, incarnation }, fit);
        },
      }),
  },
  {
    // A blob is removed between being stored and being named.
    name: "nobody holds a blob",
    keeper: (parts) => {
      const { blobs, catalog } = parts;
      const dropped = async (digests: readonly Digest[]): Promise<void> => {
        for (const digest of digests)
          try {
            if ((await catalog.system.countBlobUses(digest)) === 0) await blobs.remove(digest);
          } catch {
            // A sweep will do it.
          }
      };
      return {
        storing: async (work) => {
          const stored: Digest[] = [];
          const note = async (digest: Digest): Promise<void> => void stored.push(digest);
          try {
            return await work({
              put: (bytes) => blobs.put(bytes, note),
              putStream: (chunks, bytesMax) => blobs.putStream(chunks, bytesMax, note),
            });
          } finally {
            await dropped(stored);
          }
        },
        dropped,
        sweep: (nowMs) => sweepBlobs(parts, nowMs),
      };
    },
  },
  {
    name: "what is set aside is kept for five days",
    world: { offShare: 0.5 },
    keeper(parts) {
      const earlierMs = 25 * 24 * 60 * 60 * 1000;
      const { quarantine } = parts;
      async function* list() {
        for await (const { digest, sinceMs } of quarantine.list())
          yield { digest, sinceMs: sinceMs - earlierMs };
      }
      return new BlobKeeper({ ...parts, quarantine: changed(quarantine, { list }) });
    },
  },
  {
    name: "a sweep removes what no row names",
    keeper(parts) {
      const add = (digest: Digest): Promise<void> => parts.blobs.remove(digest);
      return new BlobKeeper({ ...parts, quarantine: changed(parts.quarantine, { add }) });
    },
  },
  {
    // A transaction that reads was begun and is never ended.
    name: "what is read is that of the start",
    reading: (reading) => void reading.exec("BEGIN"),
  },
  {
    name: "folders are not synced",
    files: (files) => changed(files, { syncFolder: async () => {} }),
  },
  {
    name: "files are not synced",
    files: (files) =>
      changed(files, {
        create: async (path) => ({ ...(await files.create(path)), sync: async () => {} }),
      }),
  },
  {
    name: "answered before it is committed",
    catalog: (catalog) => ({
      ...catalog,
      of: (caller) => {
        const own = catalog.of(caller);
        const insert = async (row: TrainingFile) => void own.files.insert(row).catch(() => {});
        return { ...own, files: changed(own.files, { insert }) };
      },
    }),
  },
  {
    name: "the alias is remembered",
    directory: (directory) => changed(directory, { forget: () => {} }),
  },
  {
    name: "a cancelled job goes on",
    trainer: (trainer, store) =>
      changed(trainer, {
        cancel: async (caller, id) => {
          const { jobs } = store.catalog.of(caller);
          const job = await jobs.get(id);
          if (job?.status !== "running") return trainer.cancel(caller, id);
          const cancelled = { ...job, status: "cancelled" } as const;
          await jobs.update(cancelled);
          return cancelled;
        },
      }),
  },
  {
    name: "a batch has the adapters of its first row",
    world: { ...crowded, poolBytes: 64 * 1024 },
    base(base) {
      const asFirst = (rows: readonly BatchRow[]): readonly BatchRow[] =>
        rows.map((row) =>
          row.adapter?.kind === rows[0]?.adapter?.kind ? row : withHeadAlone(row),
        );
      const { lanes } = base;
      const sequence: typeof lanes.sequence = {
        ...lanes.sequence,
        programFor: (rows) => lanes.sequence.programFor(asFirst(rows)),
        feeds: (rows) => lanes.sequence.feeds(asFirst(rows)),
      };
      return { ...base, lanes: { ...lanes, sequence } };
    },
  },
  {
    name: "all rows of tokens end where the shortest one does",
    world: crowded,
    base(base) {
      const { lanes } = base;
      const { token } = lanes;
      const answers: typeof token.answers = (results, rows) => {
        const shortest = Math.min(...rows.map(({ ids }) => ids.length));
        const cut = rows.map((row) => ({ ...row, ids: row.ids.slice(0, shortest) }));
        return token.answers(results, cut);
      };
      return { ...base, lanes: { ...lanes, token: { ...token, answers } } };
    },
  },
  {
    name: "what a name means is remembered for all tenants",
    directory: (directory) => {
      const first = new Map<string, Caller>();
      return changed(directory, {
        resolve: (caller, name) => {
          if (!first.has(name)) first.set(name, caller);
          return directory.resolve(first.get(name) ?? caller, name);
        },
      });
    },
  },
  {
    name: "a list forgets the tenant",
    catalog: (catalog) => ({
      ...catalog,
      of: (caller) => {
        const own = catalog.of(caller);
        const list: typeof own.models.list = async (options) => {
          const views = keyHolders.map((holder) => catalog.of(holder.caller));
          const lists = await Promise.all(views.map(({ models }) => models.list(options)));
          return lists.flat();
        };
        return { ...own, models: changed(own.models, { list }) };
      },
    }),
  },
  {
    name: "what has rotted is taken for absent",
    world: { rotMs: 500 },
    catalog: (catalog) => ({
      ...catalog,
      of: (caller) => {
        const own = catalog.of(caller);
        const get: typeof own.models.get = (id) => unlessRotten(own.models.get(id));
        return { ...own, models: changed(own.models, { get }) };
      },
    }),
  },
  {
    name: "bytes are not checked",
    blobs: (blobs, machine) =>
      changed(blobs, {
        get: async (digest) => machine.bytesOf(digest) ?? (await blobs.get(digest)),
        async *stream(digest) {
          const bytes = machine.bytesOf(digest);
          if (bytes === undefined) yield* blobs.stream(digest);
          else yield bytes;
        },
      }),
  },
  {
    name: "weights are not pinned",
    world: { ...crowded, poolBytes: 4 * 1024 },
    pool: (options) => new UnpinnedPool(options),
  },
  {
    name: "a version's number is given again",
    catalog: (catalog) => ({
      ...catalog,
      of: (caller) => {
        const own = catalog.of(caller);
        const versions = changed(own.versions, {
          delete: async (incarnation, number) => {
            const isGone = await own.versions.delete(incarnation, number);
            for (const model of await own.models.list({ limit: 100 }))
              if (model.incarnation === incarnation && model.versionCount === number)
                await own.models.update({ ...model, versionCount: number - 1 });
            return isGone;
          },
        });
        return { ...own, versions };
      },
    }),
  },
];
