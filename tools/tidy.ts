/**
 * The house rules that neither compiler nor linter knows: who imports whom, names, and what every
 * file keeps to. `tidy` is a function of the tree, so that its tests pass small trees.
 */
import { execFileSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { posix } from "node:path";
import { fileURLToPath } from "node:url";
import type { Fault } from "./fault.ts";
import { layerFaults } from "./layer-rules.ts";
import { namedPathFaults } from "./named-paths.ts";
import { readSource } from "./source-text.ts";
import { lineFaults, pathFaults, textFaults } from "./text-rules.ts";

/**
 * All faults of a tree, given as path (relative to the root, with `/`) to text; `others` are paths
 * of what is there and not read.
 */
export function tidy(
  tree: ReadonlyMap<string, string>,
  others: readonly string[] = [],
): readonly Fault[] {
  const sources = [...tree]
    .filter(([path]) => path.endsWith(".ts"))
    .map(([path, text]) => readSource(path, text));
  return [
    ...layerFaults(tree, sources),
    ...[...tree.keys()].flatMap(pathFaults),
    ...[...tree].flatMap(([path, text]) => textFaults(path, text)),
    ...sources.flatMap(lineFaults),
    ...namedPathFaults({ tree, sources, others }),
  ];
}

const textExtensions = new Set([".ts", ".js", ".json", ".md", ".html", ".css", ".sh", ".py"]);
const textFiles = new Set([".ci/run", ".gitignore", ".npmrc", "LICENSE"]);
const generated = /^package-lock\.json$|^docs\/openapi\.json$|\/(?:golden|results)\//;

/** The files that git knows or would add. */
function listFiles(): readonly string[] {
  const listing = ["ls-files", "-z", "--cached", "--others", "--exclude-standard"];
  const paths = execFileSync("git", listing, { encoding: "utf8" }).split("\0");
  return paths.filter((path) => path !== "" && existsSync(path));
}

/** Whether the file is of the kinds that people write. */
function isWritten(path: string): boolean {
  const isText = textExtensions.has(posix.extname(path)) || textFiles.has(path);
  return isText && !generated.test(path);
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const paths = listFiles();
  const written = paths.filter(isWritten);
  const tree = new Map(written.map((path) => [path, readFileSync(path, "utf8")]));
  const faults = tidy(tree, paths);
  for (const { path, line, message } of faults) console.error(`${path}:${line}: ${message}`);
  process.exitCode = faults.length === 0 ? 0 : 1;
}
