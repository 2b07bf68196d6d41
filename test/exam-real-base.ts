/** all-MiniLM-L6-v2 for tests that need a real base model. */
import { homedir } from "node:os";
import type { TestContext } from "node:test";
import { openFetch } from "../src/checkpoints/open-fetch.ts";
import { pullBase } from "../src/checkpoints/pull.ts";
import { systemClock } from "../src/foundation/clock.ts";
import { StrataError } from "../src/foundation/errors.ts";
import { silentTelemetry } from "../src/foundation/telemetry.ts";
import { cacheFolderOf } from "../src/main/cache-folder.ts";

/** The folder of the base model; skips the test, saying why, when no source can be reached. */
export async function realBaseFolder(context: TestContext): Promise<string | undefined> {
  try {
    const base = await pullBase("all-MiniLM-L6-v2", {
      cacheFolder: cacheFolderOf({ environment: process.env, userFolder: homedir() }),
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
