/**
 * The names by which a server may be called. A page of another site can point a name of its own at
 * the loopback and let a browser call it there (DNS rebinding): the name gives it away.
 */
import { StrataError } from "../foundation/errors.ts";

const loopbackNames: readonly string[] = ["localhost", "127.0.0.1", "[::1]"];

/**
 * Checks a `Host` header; FORBIDDEN for another name than those of the loopback, the address that
 * the server listens on, and those in `configured`. Clients of HTTP/1.0 send none.
 */
export function hostCheck(
  address: string,
  configured: readonly string[],
): (header: string | null) => void {
  const own = address.includes(":") ? `[${address}]` : address;
  const names = new Set([...loopbackNames, own, ...configured].map((name) => name.toLowerCase()));
  return (header) => {
    if (header === null) return;
    const name = header.replace(/:\d*$/, "").toLowerCase();
    if (names.has(name)) return;
    const state = `expected ${[...names].join(", ")}; more names are allowed by --allow-host`;
    throw new StrataError("FORBIDDEN", `Cannot answer for host "${name.slice(0, 255)}": ${state}`);
  };
}
