/**
 * The rules about who imports whom. Which folder of `src/` may import which is stated once, in the
 * layer table of ARCHITECTURE.md; this file reads the table and holds the files to it.
 */
import { posix } from "node:path";
import type { Fault } from "./fault.ts";
import { isExam } from "./source-text.ts";
import type { SourceFile } from "./source-text.ts";

/** All faults of the folders and the imports below `src/`, and of the table itself. */
export function layerFaults(
  tree: ReadonlyMap<string, string>,
  sources: readonly SourceFile[],
): Fault[] {
  const layers = parseLayers(tree.get("ARCHITECTURE.md") ?? "");
  return [
    ...tableFaults(layers, [...tree.keys()]),
    ...unusedFaults(layers, sources),
    ...directionFaults(layers, sources),
    ...purityFaults(layers, sources),
    ...examFaults(sources),
    ...runtimeFaults(sources),
    ...cycleFaults(sources),
  ];
}

interface Layer {
  readonly number: number;
  readonly folder: string;
  /** Whether the folder computes only: it imports nothing of `node:`. */
  readonly isPure: boolean;
  /** The words of the row's last column, one by one. */
  readonly words: readonly string[];
  /** Folders that the row names in its last column, or means by "down", all of a lower number. */
  readonly imports: readonly string[];
  /** The line of the row in ARCHITECTURE.md, counted from 1. */
  readonly line: number;
}

/** `| 2 | \`models/\` | the idea | entities tensor |` */
const row = /^\|\s*(\d+)\s*\|\s*`([a-z-]+)\/`\s*\|([^|]*)\|([^|]*)\|$/;

/** The table's rows, in order; none when there is no table. */
function parseLayers(architecture: string): readonly Layer[] {
  const rows = architecture.split("\n").flatMap((text, index) => {
    const [, number = "", folder = "", idea = "", imports = ""] = row.exec(text.trim()) ?? [];
    if (folder === "") return [];
    const words = imports.split(/[\s,]+/).filter((word) => word !== "");
    return [
      { number: Number(number), folder, isPure: /\bpure\b/i.test(idea), words, line: index + 1 },
    ];
  });
  return rows.map((layer) => {
    const lower = rows.filter((other) => other.number < layer.number).map(({ folder }) => folder);
    const imports = layer.words.flatMap((word) => (word === "down" ? lower : [word]));
    return { ...layer, imports: imports.filter((word) => word !== "node:") };
  });
}

/** All that each folder may import: what its row names, and what those may import. */
function reachableFolders(layers: readonly Layer[]): ReadonlyMap<string, Set<string>> {
  const reachable = new Map<string, Set<string>>();
  for (const layer of layers.toSorted((a, b) => a.number - b.number)) {
    const own = new Set([layer.folder, ...layer.imports]);
    for (const folder of layer.imports) {
      for (const deeper of reachable.get(folder) ?? []) own.add(deeper);
    }
    reachable.set(layer.folder, own);
  }
  return reachable;
}

/** The table and the folders below `src/` name each other, and its rows import downwards only. */
function tableFaults(layers: readonly Layer[], paths: readonly string[]): Fault[] {
  const existing = new Set(paths.map(folderOf).filter((folder) => folder !== ""));
  const numbers = new Map(layers.map((layer) => [layer.folder, layer.number]));
  const faults: Fault[] = [];
  const path = "ARCHITECTURE.md";
  for (const folder of existing) {
    if (!numbers.has(folder))
      faults.push(fault(path, 0, `the layer table has no row for src/${folder}/`));
  }
  for (const { folder, imports, line, number } of layers) {
    if (!existing.has(folder)) faults.push(fault(path, line, `src/${folder}/ has no content`));
    for (const other of imports) {
      if ((numbers.get(other) ?? number) >= number)
        faults.push(fault(path, line, `${folder} may not import ${other}: not of a lower layer`));
    }
  }
  return faults;
}

/** What a row names, some product file of the folder imports: the table tells what is so. */
function unusedFaults(layers: readonly Layer[], sources: readonly SourceFile[]): Fault[] {
  const used = new Map<string, Set<string>>();
  for (const file of sources) {
    if (isExam(file.path)) continue;
    const own = used.get(folderOf(file.path)) ?? new Set();
    used.set(folderOf(file.path), own);
    for (const { target } of relativeImports(file)) own.add(folderOf(target));
    if (file.imports.some(({ specifier }) => specifier.startsWith("node:"))) own.add("node:");
  }
  const numbers = new Map(layers.map((layer) => [layer.folder, layer.number]));
  return layers.flatMap(({ folder, words, line, number }) => {
    const own = used.get(folder);
    const isNamed = (word: string): boolean =>
      word === "node:" || (numbers.get(word) ?? number) < number;
    return words
      .filter((word) => own !== undefined && isNamed(word) && !own.has(word))
      .map((word) => fault("ARCHITECTURE.md", line, `no file of ${folder}/ imports ${word}`));
  });
}

function directionFaults(layers: readonly Layer[], sources: readonly SourceFile[]): Fault[] {
  const reachable = reachableFolders(layers);
  const numbers = new Map(layers.map((layer) => [layer.folder, layer.number]));
  return sources
    .filter(({ path }) => path.startsWith("src/"))
    .flatMap((file) =>
      relativeImports(file).flatMap(({ line, target }) => {
        const from = folderOf(file.path);
        const to = folderOf(target) || (target.split("/")[0] ?? "");
        if (from === to || reachable.get(from)?.has(to) === true) return [];
        // An exam stands with its subject and sets up around it what stands no higher.
        if (isExam(file.path) && (numbers.get(to) ?? Infinity) <= (numbers.get(from) ?? 0))
          return [];
        const message = `${from}/ may not import ${to}/ (layer table)`;
        return [fault(file.path, line, message)];
      }),
    );
}

function purityFaults(layers: readonly Layer[], sources: readonly SourceFile[]): Fault[] {
  const pure = new Set(layers.filter((layer) => layer.isPure).map((layer) => layer.folder));
  return sources
    .filter(({ path }) => pure.has(folderOf(path)) && !isExam(path))
    .flatMap((file) =>
      file.imports
        .filter(({ specifier }) => specifier.startsWith("node:"))
        .map(({ specifier, line }) =>
          fault(file.path, line, `${folderOf(file.path)}/ is pure and may not import ${specifier}`),
        ),
    );
}

/** What only tests run is never loaded by the product. */
function examFaults(sources: readonly SourceFile[]): Fault[] {
  return sources
    .filter(({ path }) => path.startsWith("src/") && !isExam(path))
    .flatMap((file) =>
      relativeImports(file)
        .filter(({ target }) => isExam(target))
        .map(({ line, target }) => fault(file.path, line, `product code imports ${target}`)),
    );
}

function runtimeFaults(sources: readonly SourceFile[]): Fault[] {
  return sources
    .filter(({ path }) => !path.startsWith("src/runtime/ort/"))
    .flatMap((file) =>
      file.imports
        .filter(({ specifier }) => specifier.startsWith("onnxruntime-"))
        .map(({ line }) =>
          fault(file.path, line, "only src/runtime/ort/ may import onnxruntime-node"),
        ),
    );
}

function cycleFaults(sources: readonly SourceFile[]): Fault[] {
  const edges = sources.map(
    (file) => [file.path, relativeImports(file).map(({ target }) => target)] as const,
  );
  return findCycles(new Map(edges)).map((cycle) =>
    fault(cycle[0] ?? "", 0, `imports go in a circle: ${cycle.join(" -> ")}`),
  );
}

/** `src/runtime/ort/ort-runtime.ts` to `runtime`; empty outside the folders of `src/`. */
function folderOf(path: string): string {
  const [root, folder, file] = path.split("/");
  return root === "src" && folder !== undefined && file !== undefined ? folder : "";
}

/** Imports of files in the tree, by path. A worker is started as `.js`, and compiled from `.ts`. */
function relativeImports(file: SourceFile): { readonly line: number; readonly target: string }[] {
  return file.imports
    .filter(({ specifier }) => /^\.\.?\/.*\.[jt]s$/.test(specifier))
    .map(({ specifier, line }) => {
      const target = posix.join(posix.dirname(file.path), specifier);
      return { line, target: target.replace(/\.js$/, ".ts") };
    });
}

function fault(path: string, line: number, message: string): Fault {
  return { path, line, message };
}

/** Cycles in a directed graph, each as the nodes on it, the first repeated at the end. */
function findCycles(edges: ReadonlyMap<string, readonly string[]>): readonly string[][] {
  const cycles: string[][] = [];
  const finished = new Set<string>();
  const path: string[] = [];
  const visit = (node: string): void => {
    const since = path.indexOf(node);
    if (since !== -1) cycles.push([...path.slice(since), node]);
    if (since !== -1 || finished.has(node)) return;
    path.push(node);
    for (const next of edges.get(node) ?? []) visit(next);
    path.pop();
    finished.add(node);
  };
  for (const node of edges.keys()) visit(node);
  return cycles;
}
