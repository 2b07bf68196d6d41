/**
 * Product code by folder: lines of `src/` against a budget, and files. A budget is a promise to
 * whoever must read the folder; raising one is a decision, not a repair. Nine files of ten stay
 * below a length that is read in one go. Tests, and what they share, do not count.
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
  // Pauses of the main thread, short digests and every limit that a caller can meet came to it.
  { folders: ["foundation"], linesMax: 850 },
  // A caller, weights by name and all that a version says of itself came to it.
  { folders: ["entities"], linesMax: 500 },
  { folders: ["contract"], linesMax: 1_200 },
  // Loading ONNX Runtime has a place of its own, which silences it; a thread that dies comes back;
  // models are put together, and tables looked up, in the threads that run them; state is written
  // where it stays, and GELU is cut into pieces, which add the bias of what comes before.
  { folders: ["tensor", "runtime"], linesMax: 4_050 },
  // Families of encoders and kinds of adapters have a file each; weights tell what they are.
  { folders: ["models"], linesMax: 2_150 },
  // Admission to the queue joined the order within it.
  { folders: ["scheduling"], linesMax: 400 },
  // What people upload: encodings, JSON, CSV and columns of many makes, a word for each oddity,
  // entities beside labels, what tools for labelling write, and places that count other units.
  { folders: ["datasets"], linesMax: 4_150 },
  // Half of it is about faults: checks of rows, quarantine, lost changes, the full disk. Whose rows
  // are whose, lists by what rows hold, readers of what is replaced under them, and what is known
  // of the weights of versions came to it.
  { folders: ["storage"], linesMax: 3_550 },
  // Tokenizers of strangers are checked part by part.
  { folders: ["formats"], linesMax: 1_000 },
  { folders: ["checkpoints"], linesMax: 1_100 },
  // One commit per pull, the cache and its damages.
  { folders: ["sources"], linesMax: 2_100 },
  { folders: ["knowledge"], linesMax: 1_200 },
  { folders: ["placement"], linesMax: 2_900 },
  { folders: ["planning"], linesMax: 1_850 },
  { folders: ["files"], linesMax: 350 },
  { folders: ["bases"], linesMax: 300 },
  { folders: ["tasks"], linesMax: 600 },
  { folders: ["creator"], linesMax: 800 },
  { folders: ["learning"], linesMax: 2_000 },
  { folders: ["distillation"], linesMax: 1_000 },
  // Evidence, candidates and the rule, which knows what is lost of labels, too.
  { folders: ["judging"], linesMax: 800 },
  // Jobs alone: a queue, files made into examples, runs, endings and events.
  { folders: ["trainer"], linesMax: 1_600 },
  { folders: ["lanes"], linesMax: 450 },
  // Admission by predicted wait, loads beside the queue, faults of single rows and the loss of a
  // worker live here.
  { folders: ["engine"], linesMax: 1_300 },
  // Questions of several tasks live here.
  { folders: ["processor"], linesMax: 950 },
  // Streams and deadlines are in it.
  { folders: ["http"], linesMax: 2_100 },
  // Who must be waited for when a server stops, and who has never asked, came to it.
  { folders: ["listener"], linesMax: 600 },
  // What the command line and the console word alike has its one place here.
  { folders: ["client"], linesMax: 600 },
  // A refused call takes back what it uploaded, entities are shown in their text, and errors say
  // what to do about them.
  { folders: ["cli"], linesMax: 2_500 },
  { folders: ["web"], linesMax: 600 },
  { folders: ["reports"], linesMax: 700 },
  { folders: ["server"], linesMax: 800 },
  { folders: ["commands"], linesMax: 1_900 },
  { folders: ["demo"], linesMax: 900 },
  { folders: ["main"], linesMax: 400 },
];

/** The length, in lines, that nine files of ten stay below. */
const fileLinesP90Max = 230;

function main(): void {
  const files = readLines("src");
  const budgeted = new Set(budgets.flatMap(({ folders }) => folders));
  const folders = new Set(files.map(({ folder }) => folder));
  const faults = [...folders]
    .filter((folder) => !budgeted.has(folder))
    .map((folder) => `src/${folder}/ has no budget in tools/size.ts`);
  for (const { folders: names, linesMax } of budgets) {
    const own = files.filter(({ folder }) => names.includes(folder));
    if (sumOf(own) > linesMax) faults.push(`${names.join(" and ")}: over budget`);
    printRow(names.join(" + "), own, linesMax);
  }
  const linesMax = budgets.reduce((total, budget) => total + budget.linesMax, 0);
  printRow("all", files, linesMax);
  const p90 = percentile90(files.map(({ lines }) => lines));
  console.log(`Nine files of ten have at most ${p90} lines.`);
  if (p90 >= fileLinesP90Max)
    faults.push(`nine files of ten shall have fewer than ${fileLinesP90Max} lines, got ${p90}`);
  for (const fault of faults) console.error(fault);
  process.exitCode = faults.length === 0 ? 0 : 1;
}

interface CountedFile {
  /** The first folder below `src/`. */
  readonly folder: string;
  readonly lines: number;
}

function printRow(name: string, files: readonly CountedFile[], max: number): void {
  const lines = sumOf(files);
  const [count, budget] = [String(lines).padStart(7), String(max).padStart(7)];
  const share = `${Math.round((100 * lines) / max)} %`.padStart(6);
  console.log(
    `${name.padEnd(18)}${count} /${budget}${share}${String(files.length).padStart(5)} files`,
  );
}

function sumOf(files: readonly CountedFile[]): number {
  return files.reduce((total, { lines }) => total + lines, 0);
}

/** The smallest count that at least nine of ten do not pass. */
function percentile90(counts: readonly number[]): number {
  return counts.toSorted((a, b) => a - b)[Math.ceil(0.9 * counts.length) - 1] ?? 0;
}

/** The product's files of TypeScript below `root`, at any depth. */
function readLines(root: string): readonly CountedFile[] {
  return readdirSync(root, { recursive: true, encoding: "utf8" })
    .map((path) => path.replaceAll("\\", "/"))
    .filter((path) => path.endsWith(".ts") && !isExam(path))
    .map((path) => ({
      folder: path.split("/")[0] ?? "",
      lines: readFileSync(`${root}/${path}`, "utf8").split("\n").length - 1,
    }));
}

main();
