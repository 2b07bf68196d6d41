/**
 * The version that serves a model, for those who read it while the alias moves. A version may be
 * deleted as soon as another one is served: the model has been served throughout, and whoever named
 * no version reads the next one.
 */
import type { ModelIdentity, Version, VirtualModel } from "../entities/virtual-model.ts";
import type { Digest } from "../foundation/digest.ts";
import { StrataError } from "../foundation/errors.ts";
import { requireModel } from "./checks.ts";
import type { TenantCatalog } from "./storage.ts";

export interface ServedModel {
  readonly model: VirtualModel;
  /** Undefined while the model has none. */
  readonly version: Version | undefined;
}

/**
 * The model as it is now, with the version that serves it; NOT_FOUND when it has been deleted,
 * CORRUPT when the version is missing.
 */
export async function servedVersion(
  {
    models,
    versions,
  }: Pick<TenantCatalog, "models"> & {
    readonly versions: Pick<TenantCatalog["versions"], "get">;
  },
  identity: ModelIdentity,
): Promise<ServedModel> {
  for (let missing: number | undefined; ;) {
    const model = await requireModel({ models }, identity);
    const number = model.servedVersion;
    if (number === undefined) return { model, version: undefined };
    const version = await versions.get(model.incarnation, number);
    if (version !== undefined) return { model, version };
    // Between the two looks the model was deleted, or another version is served since.
    if (number === missing) {
      const state = `its version ${number} is missing`;
      throw new StrataError("CORRUPT", `Cannot read model "${model.id}": ${state}`);
    }
    missing = number;
  }
}

/** So many versions may be deleted under one reader. */
const findCountMax = 8;

/** How the rows are found that name what is read. */
export interface Finding<Found> {
  /** It fails when the row is gone. */
  find(): Promise<Found>;
  /** The blob that is read; undefined where none is. */
  blobOf(found: Found): Digest | undefined;
}

/**
 * What is read of the blob that a row names. When it cannot be read, the row is looked up again:
 * that it is gone is the truer reason, and the blob that it names by then, if it is another one, is
 * read in the place of the first.
 */
export async function readFound<Found, T>(
  { find, blobOf }: Finding<Found>,
  read: (found: Found) => Promise<T>,
): Promise<T> {
  let found = await find();
  for (let count = 1; ; count++)
    try {
      return await read(found);
    } catch (error) {
      if (!(error instanceof StrataError) || error.code !== "CORRUPT") throw error;
      const next = await find();
      if (blobOf(next) === blobOf(found) || count === findCountMax) throw error;
      found = next;
    }
}
