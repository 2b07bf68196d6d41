/** Who asks: from an `Authorization` header to a caller. */
import { createHash, timingSafeEqual } from "node:crypto";
import { type Caller, operator } from "../entities/caller.ts";
import { assert } from "../foundation/assert.ts";

export interface Authenticator {
  /** The caller whose key the header carries; undefined when it carries none that is known. */
  authenticate(header: string | null): Promise<Caller | undefined>;
}

/** One key, the operator's; a check takes a time that does not depend on the key that was sent. */
export function operatorKey(apiKey: string): Authenticator {
  assert(apiKey.length > 0, "There must be an API key");
  const expected = digest(apiKey);
  return {
    async authenticate(header) {
      const token = tokenOf(header);
      // Digests have one length, which is what the comparison needs.
      const isKnown = token !== undefined && timingSafeEqual(digest(token), expected);
      return isKnown ? operator : undefined;
    },
  };
}

/** What stands after `Bearer`; undefined when it does not. */
export function tokenOf(header: string | null): string | undefined {
  return /^Bearer +(\S+) *$/i.exec(header ?? "")?.[1];
}

function digest(text: string): Buffer {
  return createHash("sha256").update(text).digest();
}
