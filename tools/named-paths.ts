/**
 * Files and folders that documents and comments name: each has to be there. A name is the end of a
 * path, as `tidy.ts` or `tools/tidy.ts`; code names others by imports, which the compiler follows.
 */
import { posix } from "node:path";
import type { Fault } from "./fault.ts";
import { lineAt, type SourceFile } from "./source-text.ts";

const fileName = /(?<![\w/.*-])\w[\w.-]*(?:\/[\w.-]+)*\.(?:ts|md|py|sh)(?![\w-]|\.\w)/g;
/** Folders are names in code alone: a slash ends words too. */
const folderName = /(?<=`)\w[\w.-]*(?:\/[\w.-]+)*\/(?=`)/g;
/** Links to files beside the document, without their anchors. */
const link = /(?<=\]\()[^)#:\s]+(?=[)#])/g;
/** These stand for names that a reader chooses. */
const placeholder = /(?:^|[-/])(?:NAME|x)\./;
/** Those that a build, or a store at work, makes. */
const madeFolders: ReadonlySet<string> = new Set(["dist/", "blobs/", "incoming/", "quarantine/"]);

export interface NamedPathOptions {
  /** Texts by path. */
  readonly tree: ReadonlyMap<string, string>;
  readonly sources: readonly SourceFile[];
  /** Paths of what is there, and in no tree. */
  readonly others: readonly string[];
}

/** Names of what is not there, in documents and in comments. */
export function namedPathFaults({ tree, sources, others }: NamedPathOptions): readonly Fault[] {
  const paths = new Set([...tree.keys(), ...others]);
  const known = endsOf(paths);
  const isAbsent = (name: string): boolean =>
    !known.has(name) && !placeholder.test(name) && !madeFolders.has(name);
  const absentIn = (path: string, text: string): readonly Fault[] =>
    [fileName, folderName]
      .flatMap((pattern) => [...text.matchAll(pattern)])
      .filter(([name]) => isAbsent(name))
      .map(({ 0: name, index }) => ({
        path,
        line: lineAt(text, index),
        message: `names ${name}, which is not there`,
      }));
  const documents = [...tree].filter(([path]) => path.endsWith(".md"));
  return [
    ...sources.flatMap(({ path, comments }) => absentIn(path, comments)),
    ...documents.flatMap(([path, text]) => [
      ...absentIn(path, text),
      ...linkFaults(paths, path, text),
    ]),
  ];
}

function linkFaults(paths: ReadonlySet<string>, from: string, text: string): readonly Fault[] {
  const isThere = (name: string): boolean => {
    const target = posix.join(posix.dirname(from), name).replace(/\/$/, "");
    return paths.has(target) || [...paths].some((path) => path.startsWith(`${target}/`));
  };
  return [...text.matchAll(link)]
    .filter(([name]) => !isThere(name))
    .map(({ 0: name, index }) => ({
      path: from,
      line: lineAt(text, index),
      message: `links to ${name}, which is not there`,
    }));
}

/** All ends of the paths, and of the folders on the way, which end with a slash. */
function endsOf(paths: Iterable<string>): ReadonlySet<string> {
  const ends = new Set<string>();
  for (const path of paths) {
    const parts = path.split("/");
    for (let start = 0; start < parts.length; start++) {
      ends.add(parts.slice(start).join("/"));
      for (let end = start + 1; end < parts.length; end++)
        ends.add(`${parts.slice(start, end).join("/")}/`);
    }
  }
  return ends;
}
