/**
 * The hierarchical forms that the package ships: `models/models.json` says how each was made and
 * pins its bytes and its base. One becomes a part of a pulled base, and goes when that is removed.
 */
import { readFile } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { z } from "zod";
import { parse } from "../formats/json.ts";
import { digestOf } from "../foundation/digest.ts";
import { StrataError, wrapError } from "../foundation/errors.ts";
import { replaceFile } from "../foundation/replace-file.ts";
import { digest, type PulledBase } from "./base-cache.ts";
import { digestOfFile } from "../checkpoints/files.ts";
import { readHierarchy } from "../checkpoints/hierarchy.ts";
import type { Network } from "./network.ts";
import { withPullLock } from "./pull-lock.ts";

const made = {
  /** The file lies beside the manifest. */
  file: z.string(),
  digest,
  bytes: z.int(),
  /** What made it, how many tokens it learned from, and how near it came to its base. */
  command: z.string(),
  commit: z.string(),
  tokenCount: z.int(),
  figures: z.record(z.string(), z.number()),
};

/** Forms by the names of the bases. */
const manifest = z.record(
  z.string(),
  z.object({
    ...made,
    baseDigest: digest,
    shallowLayerCount: z.int(),
    /** Forms that went on to learn a domain's text, by its name. */
    domains: z.record(z.string(), z.object(made)).default({}),
  }),
);

type Shipped = z.infer<typeof manifest>[string];

/** What the package ships, by the names of the bases. */
export async function shippedHierarchies(
  manifestPath: string,
): Promise<Readonly<Record<string, Shipped>>> {
  const text = await readFile(manifestPath, "utf8").catch((error: unknown) => {
    throw wrapError(error, "NOT_FOUND", `Cannot read "${manifestPath}"`);
  });
  return parse(manifest, text, manifestPath);
}

/** What is shipped for the base of this name; NOT_FOUND when there is nothing. */
export async function requireHierarchy(id: string, manifestPath: string): Promise<Shipped> {
  const shipped = (await shippedHierarchies(manifestPath))[id];
  if (shipped !== undefined) return shipped;
  throw new StrataError(
    "NOT_FOUND",
    `${actionOn(id)}: none is shipped; make one by: strata base hierarchise ${id} --text ...`,
  );
}

function actionOn(id: string): string {
  return `Cannot install the hierarchical form of "${id}"`;
}

/** The path of a pulled base's hierarchical form once it is installed. */
export function hierarchyPathOf({ folder }: Pick<PulledBase, "folder">): string {
  return join(folder, "hierarchy.safetensors");
}

/**
 * Reads the form that is installed beside a base, if there is one. CORRUPT when its bytes are not
 * those that the package ships for the base, or no such form at all.
 */
export async function checkHierarchy(base: PulledBase, manifestPath: string): Promise<void> {
  const path = hierarchyPathOf(base);
  const found = await digestOfFile(path);
  if (found === undefined) return;
  const shipped = (await shippedHierarchies(manifestPath))[base.id];
  if (shipped !== undefined && found !== shipped.digest)
    throw new StrataError(
      "CORRUPT",
      `Cannot open base model "${base.id}": ${basename(path)} should be ${shipped.digest}, is ` +
        `${found}; install it again: strata base pull ${base.id} --hierarchical`,
    );
  readHierarchy(await readFile(path), path, base);
}

/**
 * Puts the shipped form beside the checkpoint, durably, unless it is there. NOT_FOUND: none is
 * shipped for this base; CONFLICT: it was made for another one; CORRUPT: its bytes are damaged.
 */
export async function installHierarchy(
  base: PulledBase,
  manifestPath: string,
  network: Network,
): Promise<"installed" | "present"> {
  const action = actionOn(base.id);
  const shipped = await requireHierarchy(base.id, manifestPath);
  if (shipped.baseDigest !== base.digest)
    throw new StrataError(
      "CONFLICT",
      `${action}: it was made for base ${shipped.baseDigest}, this one is ${base.digest}`,
    );
  const target = hierarchyPathOf(base);
  return withPullLock(join(dirname(base.folder), `.${base.id}.lock`), network, async () => {
    if ((await digestOfFile(target)) === shipped.digest) return "present";
    const source = join(dirname(manifestPath), shipped.file);
    const bytes = await readFile(source).catch((error: unknown) => {
      throw wrapError(error, "NOT_FOUND", action);
    });
    const found = digestOf(bytes);
    if (found !== shipped.digest)
      throw new StrataError(
        "CORRUPT",
        `${action}: expected "${source}" with ${shipped.digest}, got ${found}`,
      );
    readHierarchy(bytes, source, base);
    await replaceFile(target, bytes);
    return "installed";
  });
}
