/**
 * Blobs on a disk that fails or loses power at its n-th operation, for every n until all succeed:
 * whatever was acknowledged is there and intact, and nothing is half visible.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { type Digest, digestOf } from "../../foundation/digest.ts";
import { SeededRandom } from "../../foundation/random.ts";
import { SimulatedDisk } from "../exam-faults.ts";
import { guardDisk } from "./disk-errors.ts";
import { type FileBlobParts, openFileBlobs } from "./file-blobs.ts";
import { Reserve } from "./reserve.ts";

const folder = "/store";
const texts = ["one", "two", "three", "two", ""];

function open(disk: SimulatedDisk): Promise<FileBlobParts> {
  return guardDisk("open the store", async () => {
    await disk.makeFolder(folder);
    const reserve = new Reserve(folder, { files: disk, bytes: 100 });
    await reserve.take();
    return openFileBlobs(folder, { files: disk, reserve });
  });
}

/**
 * Puts everything, by both ways and partly at once, and sets some of it aside and brings it back;
 * returns what was acknowledged.
 */
async function fill({ blobs, quarantine }: FileBlobParts): Promise<ReadonlySet<Digest>> {
  const acknowledged = new Set<Digest>();
  const puts = texts.map(async (text) => acknowledged.add(await blobs.put(Buffer.from(text))));
  await Promise.allSettled(puts);
  try {
    const { digest } = await blobs.putStream(streamOf(["fo", "ur"]), 4);
    acknowledged.add(digest);
    acknowledged.add(await blobs.put(Buffer.from("four")));
    const [one, two] = [digestOf("one"), digestOf("two")];
    await quarantine.add(one, 1);
    await quarantine.add(two, 2);
    await quarantine.restore(one);
    await quarantine.add(one, 3);
  } catch {
    // The fault: nothing was acknowledged.
  }
  return acknowledged;
}

async function* streamOf(parts: readonly string[]): AsyncIterable<Uint8Array> {
  for (const part of parts) yield Buffer.from(part);
}

/** What must be there is found, and all that is listed can be read, which checks the digest. */
async function check({ blobs }: FileBlobParts, acknowledged: ReadonlySet<Digest>): Promise<void> {
  for (const digest of acknowledged) assert.ok(await blobs.has(digest), `${digest} is lost`);
  for await (const digest of blobs.list()) await blobs.get(digest);
}

test("an operation that fails loses nothing and leaves nothing, and may be repeated", async () => {
  for (let after = 0; ; after++) {
    const disk = new SimulatedDisk();
    const blobs = await open(disk);
    disk.arm({ after, kind: "fail" });
    const acknowledged = await fill(blobs);
    const hasStruck = disk.hasStruck;
    disk.arm(undefined);
    await check(blobs, acknowledged);
    assert.equal((await fill(blobs)).size, 5, `operation ${after}`);
    assert.deepEqual(await disk.list(`${folder}/incoming`), [], `operation ${after}`);
    if (!hasStruck) break;
  }
});

test("a power cut at any operation keeps what was acknowledged", async () => {
  for (let after = 0, cutCount = 0; ; after++) {
    let hasStruck = false;
    for (let seed = 0; seed < 4; seed++) {
      const disk = new SimulatedDisk();
      let blobs = await open(disk);
      disk.arm({ after, kind: "cut" });
      const acknowledged = await fill(blobs);
      hasStruck = disk.hasStruck;
      // Half of the time the process alone dies, and what was not synced is still to be seen.
      if (seed % 2 === 0) disk.restart(new SeededRandom(seed, after));
      else disk.arm(undefined);
      blobs = await open(disk);
      assert.deepEqual(await disk.list(`${folder}/incoming`), []);
      await check(blobs, acknowledged).catch((error: unknown) => {
        throw new Error(`operation ${after}, seed ${seed}`, { cause: error });
      });
      // What only the crashed process had put is made durable by the next one that puts it.
      const again = await fill(blobs);
      disk.restart(new SeededRandom(seed, after + 1));
      await check(await open(disk), again);
    }
    if (!hasStruck) {
      assert.ok(cutCount > 20, `only ${cutCount} operations`);
      break;
    }
    cutCount += 1;
  }
});

test("a power cut while opening leaves a store that opens", async () => {
  for (let after = 0; ; after++) {
    const disk = new SimulatedDisk();
    disk.arm({ after, kind: "cut" });
    const opening = open(disk);
    const isOpen = await opening.then(
      () => true,
      () => false,
    );
    if (isOpen) break;
    await assert.rejects(opening, { code: "UNAVAILABLE", message: /simulated fault/ });
    disk.restart(new SeededRandom(after));
    assert.equal((await fill(await open(disk))).size, 5);
  }
});
