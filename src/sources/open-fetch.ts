/** `fetch` that reaches what pip reaches: through its proxy, trusting its certificates. */
import { readFile } from "node:fs/promises";
import { rootCertificates } from "node:tls";
import { EnvHttpProxyAgent, fetch as undiciFetch } from "undici";
import { pipCertificates } from "./pip-config.ts";

/**
 * Node's own `fetch` knows neither `HTTPS_PROXY` (before Node 24) nor certificates that are named
 * in pip's configuration. `environment` is what `pipIndexes` takes.
 */
export async function openFetch(
  environment: Readonly<Record<string, string | undefined>>,
): Promise<typeof fetch> {
  const paths = [await pipCertificates(environment), environment["NODE_EXTRA_CA_CERTS"]];
  const texts = paths.map(async (path) => (path ? readFile(path, "utf8").catch(() => "") : ""));
  const authorities = [...rootCertificates, ...(await Promise.all(texts))].filter(Boolean);
  const get = (name: string) => environment[name.toLowerCase()] ?? environment[name] ?? "";
  const dispatcher = new EnvHttpProxyAgent({
    httpProxy: get("HTTP_PROXY"),
    httpsProxy: get("HTTPS_PROXY"),
    noProxy: get("NO_PROXY"),
    connect: { ca: authorities },
    requestTls: { ca: authorities },
    proxyTls: { ca: authorities },
  });
  const reach: unknown = (input: string, init: object) =>
    undiciFetch(input, { ...init, dispatcher });
  return reach as typeof fetch; // undici is Node's fetch; its types are declared apart
}
