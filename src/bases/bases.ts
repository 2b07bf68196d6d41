/**
 * `Bases`: the base models that a home knows, and which of them are served. It alone writes their
 * table. A base that cannot be served is refused with its reason and keeps no other from being
 * served; what the home knows and the cache lacks is refused too, by name.
 */
import type { CachedBase, PulledBase } from "../sources/base-cache.ts";

export interface Bases {
  /**
   * Takes in a base of the cache, or refuses it. It is served when its files are whole, no vPLM has
   * its name or was made for other bytes of that name, and `load` has made it ready; only then is
   * its row written. Gives what `load` gave, or undefined when the base is refused. A failed
   * assertion is our bug, and passes through.
   */
  admit<T>(found: CachedBase, load: (base: PulledBase) => Promise<T>): Promise<T | undefined>;
  /** Refuses what the catalog knows and nobody has admitted; to be called after the admissions. */
  refuseAbsent(): Promise<void>;
  /** Fails unless a base is served, with the reasons; CONFLICT when there is none at all. */
  requireAny(): void;
  /** Why the base is not served, in words that end a sentence; whatever is not served has some. */
  whyRefused(id: string): string;
}
