/**
 * Lines of `src/` per folder against a budget. A budget is a promise to whoever must read the
 * folder; raising one is a decision, not a repair. Tests and exams do not count.
 */
import { readFileSync, readdirSync } from "node:fs";
import { isExam } from "./source-text.ts";

interface Budget {
  /** Folders that share the budget. */
  readonly folders: readonly string[];
  readonly linesMax: number;
}

/**
 * What faces the world (files of users, bases of strangers, sockets, disks) was given room when
 * every fault found in it was mended with its whole kind.
 */
const budgets: readonly Budget[] = [
  // Pauses of the main thread, and short digests, came to it.
  { folders: ["foundation"], linesMax: 800 },
  { folders: ["entities"], linesMax: 400 },
  { folders: ["contract"], linesMax: 1_200 },
  // Loading ONNX Runtime has a place of its own, which silences it; a thread that dies comes back.
  { folders: ["tensor", "runtime"], linesMax: 3_250 },
  // Families of encoders and kinds of adapters have a file each.
  { folders: ["models"], linesMax: 1_800 },
  // Admission to the queue joined the order within it.
  { folders: ["scheduling"], linesMax: 400 },
  // What people upload: encodings, JSON, CSV and columns of many makes, a word for each oddity,
  // and entities beside labels.
  { folders: ["datasets"], linesMax: 3_100 },
  // Half of it is about faults: checks of rows, quarantine, lost changes, the full disk.
  { folders: ["storage"], linesMax: 2_900 },
  // Tokenizers of strangers are checked part by part.
  { folders: ["formats"], linesMax: 1_000 },
  // Sources, one commit per pull, the cache and its damages.
  { folders: ["checkpoints"], linesMax: 3_000 },
  { folders: ["knowledge"], linesMax: 1_200 },
  { folders: ["placement"], linesMax: 2_900 },
  { folders: ["planning"], linesMax: 1_850 },
  { folders: ["files"], linesMax: 350 },
  { folders: ["bases"], linesMax: 300 },
  { folders: ["creator"], linesMax: 800 },
  { folders: ["learning"], linesMax: 2_000 },
  { folders: ["distillation"], linesMax: 1_000 },
  // What a version remembers, the comparison and its verdict came to it.
  { folders: ["trainer"], linesMax: 2_000 },
  // Admission by predicted wait, faults of single rows, and the loss of a worker live here.
  { folders: ["processor"], linesMax: 2_050 },
  // Streams and deadlines are in it.
  { folders: ["http"], linesMax: 2_100 },
  { folders: ["listener"], linesMax: 550 },
  { folders: ["client"], linesMax: 500 },
  // A refused call takes back what it uploaded, and errors say what to do about them.
  { folders: ["cli"], linesMax: 2_400 },
  { folders: ["web"], linesMax: 600 },
  { folders: ["reports"], linesMax: 700 },
  { folders: ["server"], linesMax: 800 },
  { folders: ["commands"], linesMax: 1_900 },
  { folders: ["demo"], linesMax: 900 },
  { folders: ["main"], linesMax: 400 },
];

function main(): void {
  const lines = countLines("src");
  const budgeted = new Set(budgets.flatMap(({ folders }) => folders));
  const missing = [...lines.keys()].filter((folder) => !budgeted.has(folder));
  let isOver = missing.length > 0;
  let sum = 0;
  for (const { folders, linesMax } of budgets) {
    const count = folders.reduce((total, folder) => total + (lines.get(folder) ?? 0), 0);
    sum += count;
    isOver ||= count > linesMax;
    printRow(folders.join(" + "), count, linesMax);
  }
  printRow(
    "all",
    sum,
    budgets.reduce((total, { linesMax }) => total + linesMax, 0),
  );
  for (const folder of missing) console.error(`src/${folder}/ has no budget in tools/size.ts`);
  process.exitCode = isOver ? 1 : 0;
}

function printRow(name: string, count: number, max: number): void {
  const [lines, budget] = [String(count).padStart(7), String(max).padStart(7)];
  const mark = count > max ? "over budget" : `${Math.round((100 * count) / max)} %`.padStart(5);
  console.log(`${name.padEnd(18)}${lines} /${budget}  ${mark}`);
}

/** Lines of TypeScript by folder below `root`, at any depth. */
function countLines(root: string): ReadonlyMap<string, number> {
  const lines = new Map<string, number>();
  for (const path of readdirSync(root, { recursive: true, encoding: "utf8" })) {
    if (!path.endsWith(".ts") || isExam(path)) continue;
    const folder = path.split(/[/\\]/)[0] ?? "";
    const count = readFileSync(`${root}/${path}`, "utf8").split("\n").length - 1;
    lines.set(folder, (lines.get(folder) ?? 0) + count);
  }
  return lines;
}

main();
