/** The check of the operator's key, in a time that does not depend on the key that was sent. */
import { createHash, timingSafeEqual } from "node:crypto";
import { assert } from "../foundation/assert.ts";

/** A function that tells whether an `Authorization` header carries the key. */
export function keyCheck(apiKey: string): (header: string | null) => boolean {
  assert(apiKey.length > 0, "There must be an API key");
  const expected = digest(apiKey);
  return (header) => {
    const token = /^Bearer +(\S+) *$/i.exec(header ?? "")?.[1];
    // Digests have one length, which is what the comparison needs.
    return token !== undefined && timingSafeEqual(digest(token), expected);
  };
}

function digest(text: string): Buffer {
  return createHash("sha256").update(text).digest();
}
