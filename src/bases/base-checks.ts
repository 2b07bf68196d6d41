/** Whether the bases of the cache can serve this home, and whether a name is free for another. */
import { join } from "node:path";
import { type CachedBase, checkPulledBase, listCachedBases } from "../sources/base-cache.ts";
import { checkHierarchy } from "../sources/shipped-hierarchy.ts";
import { peekCatalog } from "../storage/files/catalog-peek.ts";
import { conflictOf, nameTaken } from "./conflicts.ts";

export interface BaseCheck {
  readonly id: string;
  /** Why it cannot be served; undefined when it can. */
  readonly fault: string | undefined;
}

export interface BaseCheckOptions {
  readonly cacheFolder: string;
  readonly home: string;
  /** The manifest of the hierarchical forms that the package ships. */
  readonly manifestPath: string;
}

/** Compares every byte of every base with its digest, and the bases with what the home knows. */
export async function checkBases(options: BaseCheckOptions): Promise<readonly BaseCheck[]> {
  const checks: BaseCheck[] = [];
  for (const found of await listCachedBases(options.cacheFolder)) {
    try {
      await checkBase(found, options);
      checks.push({ id: found.id, fault: undefined });
    } catch (error) {
      const fault = error instanceof Error ? error.message : String(error);
      checks.push({ id: found.id, fault });
    }
  }
  return checks;
}

async function checkBase(
  found: CachedBase,
  { home, manifestPath }: BaseCheckOptions,
): Promise<void> {
  if (found.kind === "damaged") throw found.fault;
  const { base } = found;
  await checkPulledBase(base);
  await checkHierarchy(base, manifestPath);
  const conflict = peekCatalog(join(home, "store"), (peek) =>
    conflictOf(base, {
      hasModel: peek.hasModel(base.id),
      digest: peek.digestOf(base.id),
      user: peek.modelOn(base.id),
    }),
  );
  if (conflict !== undefined) throw conflict;
}

/** ALREADY_EXISTS when the home has a vPLM of this name. */
export function checkNameFree(home: string, id: string): void {
  if (peekCatalog(join(home, "store"), (peek) => peek.hasModel(id)) === true) throw nameTaken(id);
}
