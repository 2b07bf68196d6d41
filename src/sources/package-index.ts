/** The simple index of packages: which wheels there are of one, and which of them is meant. */
import { readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { z } from "zod";
import type { Digest } from "../foundation/digest.ts";
import { StrataError } from "../foundation/errors.ts";
import { limits } from "../foundation/limits.ts";
import { parse } from "../formats/json.ts";
import { download } from "./download.ts";
import type { SourceRequest } from "./network.ts";

/** A file of the index. */
export interface WheelLink {
  readonly filename: string;
  readonly url: string;
  readonly digest: Digest | undefined;
  /** Sent with the request for the file. */
  readonly headers: Readonly<Record<string, string>>;
}

/** What the index at this address offers. */
export async function readIndex(
  request: SourceRequest,
  address: string,
): Promise<readonly WheelLink[]> {
  const { url, headers } = splitCredentials(address);
  const target = join(request.folder, ".index");
  // The download of an index is never continued: it changes.
  await rm(`${target}.part`, { force: true });
  const accept =
    "application/vnd.pypi.simple.v1+json, " +
    "application/vnd.pypi.simple.v1+html;q=0.2, text/html;q=0.1";
  const downloaded = await download(
    {
      url,
      headers: { accept, ...headers },
      target,
      file: `the package index of ${request.place}`,
      digest: undefined,
      bytesMax: limits.packageIndexBytesMax,
    },
    request.network,
  );
  const text = await readFile(target, "utf8");
  await rm(target);
  const links = text.trimStart().startsWith("{") ? linksOfJson(text) : linksOfHtml(text);
  return links.map((link) => {
    const absolute = new URL(link.url, downloaded.url);
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
export function chooseWheel<T extends FoundLink>(
  links: readonly T[],
  { place, version }: { readonly place: string; readonly version: string | undefined },
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
