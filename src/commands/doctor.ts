/** The checks of `strata doctor`: each says what it found and, unless it is fine, what to do. */
import { statfs } from "node:fs/promises";
import type { Finding } from "../cli/local-commands.ts";
import { formatBytes } from "../cli/output.ts";
import { StrataError } from "../foundation/errors.ts";
import { makeFolder } from "../foundation/make-folder.ts";
import type { BaseCheck } from "../bases/base-checks.ts";

export interface DoctorOptions {
  readonly home: string;
  /** Address of the server to look for. */
  readonly serverUrl: string;
  /** Loads ONNX Runtime and returns its version. */
  readonly probeRuntime: () => Promise<string>;
  /** Loads the SQL driver and returns its version. */
  readonly probeCatalog: () => Promise<string>;
  /** Reads the base models that are present, byte by byte. */
  readonly checkBases: () => Promise<readonly BaseCheck[]>;
}

const freeBytesMin = 2_000_000_000;
const serverWaitMsMax = 2_000;

export async function runDoctor(options: DoctorOptions): Promise<readonly Finding[]> {
  return [
    checkNode(process.versions.node),
    await probe("ONNX Runtime", options.probeRuntime),
    await probe("SQL catalog", options.probeCatalog),
    ...(await baseFindings(options.checkBases)),
    await checkDisk(options.home),
    await checkServer(options.serverUrl),
  ];
}

/** The versions that package.json's `engines` names. */
export function checkNode(version: string): Finding {
  const [major = 0, minor = 0] = version.split(".").map(Number);
  const isFine = (major === 20 && minor >= 19) || (major === 22 && minor >= 14) || major >= 24;
  if (isFine) return { check: "Node.js", status: "ok", message: version };
  const cure = "Install Node.js 20.19, 22.14, 24 or later.";
  return { check: "Node.js", status: "fail", message: `${version} is not supported`, cure };
}

async function probe(check: string, load: () => Promise<string>): Promise<Finding> {
  try {
    return { check, status: "ok", message: await load() };
  } catch (error) {
    // An error of ours says what to do; a second advice would be another one.
    if (error instanceof StrataError) return { check, status: "fail", message: error.message };
    const message = `cannot be loaded: ${messageOf(error)}`;
    const cure = 'Run "npm ci" on this machine: its native part is built for one platform.';
    return { check, status: "fail", message, cure };
  }
}

/** One for those that can be served, and one for each that cannot. */
async function baseFindings(
  read: () => Promise<readonly BaseCheck[]>,
): Promise<readonly Finding[]> {
  const check = "base models";
  const cure = 'Run "strata base pull all-MiniLM-L6-v2".';
  try {
    const bases = await read();
    if (bases.length === 0) return [{ check, status: "warn", message: "none is present", cure }];
    const whole = bases.filter(({ fault }) => fault === undefined).map(({ id }) => id);
    const damaged = bases.flatMap(({ id, fault }): Finding[] =>
      fault === undefined
        ? []
        : [{ check: `base model "${id}"`, status: "fail", message: fault, cure: removal(id) }],
    );
    const message = `${whole.join(", ")}: every byte has its digest`;
    return [...(whole.length === 0 ? [] : [{ check, status: "ok", message } as const]), ...damaged];
  } catch (error) {
    return [{ check, status: "fail", message: messageOf(error), cure }];
  }
}

function removal(id: string): string {
  return `Mend it as said, or remove it with "strata base remove ${id}".`;
}

async function checkDisk(home: string): Promise<Finding> {
  const check = "disk";
  try {
    await makeFolder(home, 0o700);
    const { bavail, bsize } = await statfs(home);
    const message = `${formatBytes(bavail * bsize)} free in ${home}`;
    if (bavail * bsize >= freeBytesMin) return { check, status: "ok", message };
    const cure = `Free some space or choose another folder with --home; a base takes 0.1 GB.`;
    return { check, status: "warn", message, cure };
  } catch (error) {
    const cure = "Choose a folder that can be written to with --home or STRATA_HOME.";
    return { check, status: "fail", message: messageOf(error), cure };
  }
}

async function checkServer(url: string): Promise<Finding> {
  const check = "server";
  const cure = 'Start one with "strata serve", or name one with STRATA_URL.';
  try {
    const signal = AbortSignal.timeout(serverWaitMsMax);
    const { ok, status } = await fetch(new URL("/readyz", url), { signal });
    if (ok) return { check, status: "ok", message: `ready at ${url}` };
    return { check, status: "warn", message: `${url} answers with status ${status}`, cure };
  } catch {
    return { check, status: "warn", message: `none answers at ${url}`, cure };
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
