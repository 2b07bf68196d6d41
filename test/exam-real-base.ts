/** Real base models, for tests that need one. */
import { homedir } from "node:os";
import { join } from "node:path";
import type { TestContext } from "node:test";
import { openFetch } from "../src/sources/open-fetch.ts";
import { pullBase } from "../src/sources/pull.ts";
import { systemClock } from "../src/foundation/clock.ts";
import { StrataError } from "../src/foundation/errors.ts";
import { silentTelemetry } from "../src/foundation/telemetry.ts";
import { cacheFolderOf } from "../src/main/cache-folder.ts";

const cacheFolder = cacheFolderOf({ environment: process.env, userFolder: homedir() });

/** A cache of its own: it would make the servers of the tests that open the other one large. */
export const mpnetCacheFolder: string = join(cacheFolder, "mpnet");

/** The folder of all-MiniLM-L6-v2; skips the test, saying why, when no source can be reached. */
export function realBaseFolder(context: TestContext): Promise<string | undefined> {
  return pulledFolder(context, "all-MiniLM-L6-v2", cacheFolder);
}

/** The same of all-mpnet-base-v2. */
export function realMpnetFolder(context: TestContext): Promise<string | undefined> {
  return pulledFolder(context, "all-mpnet-base-v2", mpnetCacheFolder);
}

async function pulledFolder(
  context: TestContext,
  name: string,
  folder: string,
): Promise<string | undefined> {
  try {
    const base = await pullBase(name, {
      cacheFolder: folder,
      environment: process.env,
      fetch: await openFetch(process.env),
      clock: systemClock,
      telemetry: silentTelemetry,
    });
    return base.folder;
  } catch (error) {
    if (!(error instanceof StrataError) || error.code !== "UNAVAILABLE") throw error;
    context.skip(error.message);
    return undefined;
  }
}
