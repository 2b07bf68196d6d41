/**
 * A real server with a real disk is killed (SIGKILL) again and again while owners of models, jobs
 * and files change them. After each start they look whether all that was acknowledged is there.
 * Which instant a kill meets is up to the machine: this does not repeat, as lives do.
 */
import assert from "node:assert/strict";
import { once } from "node:events";
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { pause, systemClock } from "../../src/foundation/clock.ts";
import { SeededRandom } from "../../src/foundation/random.ts";
import { openFileStore } from "../../src/storage/files/file-store.ts";
import type { ProgramFolder } from "../exam-program.ts";
import { BatchOwner } from "./batch-owner.ts";
import { JobBook } from "./job-book.ts";
import { ModelOwner } from "./model-owner.ts";
import { isLost, type Owner } from "./owner.ts";

export interface KillOptions {
  readonly folder: ProgramFolder;
  readonly killCount: number;
  readonly seed: number;
}

export interface KillReport {
  /** Acknowledged changes of the models that are trained. */
  readonly changes: number;
  readonly jobs: number;
  readonly succeeded: number;
  /** Models that were deleted before their job had succeeded. */
  readonly disturbed: number;
  /** Kills that came before everything had been looked at. */
  readonly early: number;
}

/** The least time from when a server listens to its end. */
const lifeMsMin = 50;
/** The longest life is so long, and so many looks at everything: few kills come amid a look. */
const [workMsMax, checkCountMax] = [4_000, 4];

export async function killAgainAndAgain(options: KillOptions): Promise<KillReport> {
  const { folder, killCount, seed } = options;
  const random = new SeededRandom(seed);
  const jobs = new JobBook();
  const models = [0, 1, 2, 3].map((index) => {
    const task = index % 2 === 0 ? "text-classification" : "token-classification";
    const adapter = index < 2 ? "lora" : "bottleneck";
    const own = new SeededRandom(seed, index + 1);
    return new ModelOwner({ name: `model-${index}`, task, adapter, random: own, jobs });
  });
  const owners: readonly Owner[] = [...models, new BatchOwner({ random, jobs })];
  let early = 0;
  /** How long the last look at everything took, or the longest life that saw no end of one. */
  let checkMs = 0;
  for (let kill = 0; kill < killCount; kill++) {
    const lifeMs = lifeMsMin + random.uniform() * (workMsMax + checkCountMax * checkMs);
    const checkedMs = await live({ folder, jobs, owners }, lifeMs);
    if (checkedMs === undefined) early += 1;
    checkMs = checkedMs ?? Math.max(checkMs, lifeMs);
  }
  const server = await folder.serve();
  await jobs.check(folder.client);
  await jobs.settle(folder.client);
  for (const owner of owners) await owner.check(folder.client);
  server.kill("SIGTERM");
  assert.deepEqual(await once(server, "exit"), [0, null]);
  await checkStore(folder);
  const changes = models.reduce((sum, { changeCount }) => sum + changeCount, 0);
  const disturbed = models.reduce((sum, { disturbedCount }) => sum + disturbedCount, 0);
  return { changes, jobs: jobs.count, succeeded: jobs.succeededCount, disturbed, early };
}

interface Scene {
  readonly folder: ProgramFolder;
  readonly jobs: JobBook;
  readonly owners: readonly Owner[];
}

/** One server, from its start to its kill: how long it took to look at all, if that was done. */
async function live({ folder, jobs, owners }: Scene, lifeMs: number): Promise<number | undefined> {
  const server = await folder.serve();
  const { client } = folder;
  const startMs = systemClock.monotonic();
  let checkedMs: number | undefined;
  const lives = (async () => {
    await jobs.check(client);
    await Promise.all(owners.map((owner) => owner.check(client)));
    checkedMs = systemClock.monotonic() - startMs;
    await Promise.all(owners.map((owner) => owner.live(client)));
  })();
  const lost = assert.rejects(lives, isLost);
  await Promise.race([pause(systemClock, lifeMs), lost]);
  server.kill("SIGKILL");
  assert.deepEqual(await once(server, "exit"), [null, "SIGKILL"]);
  await lost;
  return checkedMs;
}

/** Every blob that a row names is there and whole, and a sweep finds no other. */
async function checkStore(folder: ProgramFolder): Promise<void> {
  const path = join(folder.path, "home", "store");
  const store = await openFileStore(path);
  try {
    assert.deepEqual(readdirSync(join(path, "incoming")), []);
    for (const digest of await store.catalog.system.namedBlobs()) await store.blobs.get(digest);
    const { quarantinedCount } = await store.keeper.sweep(systemClock.now());
    assert.equal(quarantinedCount, 0, "blobs are left that no row names");
  } finally {
    await store.close();
  }
}
