/** Tells where base models lie: in the user's cache, which all homes share. */
import { join } from "node:path";
import type { Surroundings } from "../cli/surroundings.ts";

/** `STRATA_CACHE`, or `strata` in the cache folder of the operating system's user. */
export function cacheFolderOf({
  environment,
  userFolder,
}: Pick<Surroundings, "environment" | "userFolder">): string {
  const caches = environment["XDG_CACHE_HOME"] ?? join(userFolder, ".cache");
  return environment["STRATA_CACHE"] ?? join(caches, "strata");
}
