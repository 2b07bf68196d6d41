/** Which hosts are this machine itself. */

/** Whether a host name or address is the loopback's; an IPv6 address stands without brackets. */
export function isLoopback(host: string): boolean {
  return host === "localhost" || host === "::1" || /^127(?:\.\d{1,3}){3}$/.test(host);
}
