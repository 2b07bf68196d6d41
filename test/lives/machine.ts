/** What outlives a process: the disk, the catalog, time, and chance itself. */
import { basename, join } from "node:path";
import type { BaseWeights } from "../../src/checkpoints/base-weights.ts";
import { type Digest, digestOf } from "../../src/foundation/digest.ts";
import { SeededRandom, type Random } from "../../src/foundation/random.ts";
import { SimulatedDisk } from "../../src/storage/exam-faults.ts";
import { contents } from "./contents.ts";
import { Faults, type FaultShares } from "./faults.ts";
import { type Rotten, type RowChange, SimulatedCatalog } from "./simulated-catalog.ts";
import type { Trace } from "./trace.ts";
import { type Pacing, VirtualTime } from "./virtual-time.ts";

export const storeFolder = "/store";

export interface MachineOptions {
  readonly seed: number;
  readonly pacing: Pacing;
  readonly shares: FaultShares;
  readonly slowness: number;
  readonly poolBytes: number;
  readonly weights: BaseWeights;
  readonly trace: Trace;
  readonly onCommit: (changes: readonly RowChange[]) => void;
}

/** Chance comes in streams, so that what is asked for does not depend on what breaks. */
const streams = { time: 1, faults: 2, ids: 3, power: 4 } as const;

export class Machine {
  readonly disk = new SimulatedDisk();
  readonly time: VirtualTime;
  readonly faults: Faults;
  readonly catalog: SimulatedCatalog;
  readonly weights: BaseWeights;
  readonly trace: Trace;
  /** How many times as long as other things a batch takes. */
  readonly slowness: number;
  readonly poolBytes: number;
  /** The source of ids. */
  readonly random: Random;
  /** What was written, by its digest: what a blob should hold, whatever the disk makes of it. */
  readonly meant = new Map<Digest, Uint8Array>();
  /** Whether any bytes have been spoilt. */
  isHurt = false;
  /** Whether any row has rotted. */
  hasRotted = false;
  /** It is told when a start has swept the blobs. */
  onSwept = (): void => {};
  readonly #power: Random;

  constructor({ seed, pacing, shares, weights, trace, onCommit, ...speed }: MachineOptions) {
    this.slowness = speed.slowness;
    this.poolBytes = speed.poolBytes;
    this.time = new VirtualTime(new SeededRandom(seed, streams.time), pacing);
    const chance = new SeededRandom(seed, streams.faults);
    this.faults = new Faults(chance, { shares, time: this.time, trace });
    this.catalog = new SimulatedCatalog(onCommit);
    this.weights = weights;
    this.trace = trace;
    this.random = new SeededRandom(seed, streams.ids);
    this.#power = new SeededRandom(seed, streams.power);
    // Uploads are written piece by piece.
    for (const { bytes } of contents) this.note(bytes);
  }

  /** The process is killed, or the power fails: what was not synced is lost, or kept, by chance. */
  crash(): void {
    this.catalog.crash();
    this.disk.restart(this.#power);
  }

  /** Flips a bit of some blob; false when there is none. */
  flip(): boolean {
    const path = this.victim();
    if (path === undefined) return false;
    this.disk.flip(path, this.#power);
    this.isHurt = true;
    this.faults.note("flipped", path);
    return true;
  }

  /** Some row of the catalog rots; undefined when there is none, or not now. */
  rot(): Rotten | undefined {
    const rotten = this.catalog.rot(this.#power);
    if (rotten === undefined) return undefined;
    this.isHurt = true;
    this.hasRotted = true;
    const { table, row } = rotten;
    this.faults.note("rotten", `${table} ${String(row["id"] ?? row["number"])}`);
    return rotten;
  }

  note(bytes: Uint8Array): void {
    const copy = bytes.slice();
    this.meant.set(digestOf(copy), copy);
  }

  misdirect(path: string, target: string, bytes: Uint8Array): void {
    this.disk.misdirect(path, target, bytes);
    this.isHurt = true;
  }

  /** Some blob's file. */
  victim(): string | undefined {
    const paths = this.blobPaths();
    return paths[this.#power.integer(Math.max(1, paths.length))];
  }

  /** Paths of all blobs that are not set aside. */
  blobPaths(): readonly string[] {
    const folders = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, "0"));
    return folders.flatMap((name) => this.disk.pathsIn(join(storeFolder, "blobs", name)));
  }

  /**
   * Blobs that are set aside, with the times from which they are kept, in order: a crash may bring
   * back an earlier one.
   */
  quarantined(): ReadonlyMap<Digest, readonly number[]> {
    const found = new Map<Digest, number[]>();
    for (const path of this.disk.pathsIn(join(storeFolder, "quarantine"))) {
      const [hexadecimal, since] = basename(path).split(".");
      const times = found.get(`sha256:${hexadecimal}`) ?? [];
      found.set(`sha256:${hexadecimal}`, [...times, Number(since)]);
    }
    return found;
  }

  /** The bytes that lie under the blob's name now. */
  bytesOf(digest: Digest): Uint8Array | undefined {
    return this.disk.contentOf(blobPath(digest));
  }

  isSpoilt(digest: Digest): boolean {
    return this.disk.isSpoilt(blobPath(digest));
  }
}

function blobPath(digest: Digest): string {
  const hexadecimal = digest.slice("sha256:".length);
  return join(storeFolder, "blobs", hexadecimal.slice(0, 2), hexadecimal);
}
