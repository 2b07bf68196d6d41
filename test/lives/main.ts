/**
 * Lives by hand: `npm run lives -- --seed N`. A seed that violates something is printed with its
 * last lines, and the exit status is 1.
 */
import { StrataError } from "../../src/foundation/errors.ts";
import { exitStatusOf, parseWords } from "../../tools/command.ts";
import { type Plant, plants, soundProduct } from "./planted.ts";
import { type RunReport, simulate } from "./simulation.ts";

/** Bounds of what is asked for: the largest runs take hours. */
const seedMax = 1_000_000_000;
const seedCountMax = 100_000;
const operationCountMax = 100_000;
/** What a seed's clients begin where nothing else is asked for. */
const usualOperationCount = 400;

const usage = `Usage: npm run lives -- [OPTIONS]
  --seed N            the first seed, from 1 to ${seedMax}; 1 when left out
  --seeds COUNT       how many, one after the other, at most ${seedCountMax}; 1 when left out
  --operations COUNT  of clients, at most ${operationCountMax}; ${usualOperationCount} when left out
  --plant NAME        puts a known fault back, which is to be found:
${plants.map(({ name }) => `                        "${name}"`).join("\n")}
  --trace             prints each line of the trace
  -h, --help          prints this`;

/** Returns the exit status: 0, or 1 for a violation. */
async function main(words: readonly string[]): Promise<number> {
  const flag = { type: "boolean", default: false } as const;
  const options = {
    seed: { type: "string", default: "1" },
    seeds: { type: "string", default: "1" },
    operations: { type: "string", default: String(usualOperationCount) },
    plant: { type: "string" },
    trace: flag,
    help: { ...flag, short: "h" },
  } as const;
  const config = { args: [...words], options };
  const { values } = parseWords({ config, action: "Cannot simulate", usage });
  if (values.help) {
    console.log(usage);
    return 0;
  }
  return live({
    first: numberOf("--seed", values.seed, seedMax),
    seedCount: numberOf("--seeds", values.seeds, seedCountMax),
    operationCount: numberOf("--operations", values.operations, operationCountMax),
    plant: plantOf(values.plant),
    onLine: values.trace ? (line) => console.log(line) : undefined,
  });
}

/** INVALID_ARGUMENT for what is not an integer from 1 to `max`. */
function numberOf(option: string, text: string, max: number): number {
  const value = /^\d+$/.test(text) ? Number(text) : 0;
  if (value >= 1 && value <= max) return value;
  throw new StrataError(
    "INVALID_ARGUMENT",
    `Cannot simulate: ${option} expected an integer from 1 to ${max}, got "${text}"`,
  );
}

/** INVALID_ARGUMENT for a fault that is not known. */
function plantOf(name: string | undefined): Plant {
  const plant = name === undefined ? soundProduct : plants.find((known) => known.name === name);
  if (plant !== undefined) return plant;
  const names = plants.map((known) => `"${known.name}"`).join(", ");
  throw new StrataError(
    "INVALID_ARGUMENT",
    `Cannot simulate with the fault "${name}": expected one of ${names}`,
  );
}

interface Lives {
  readonly first: number;
  readonly seedCount: number;
  readonly operationCount: number;
  readonly plant: Plant;
  readonly onLine: ((line: string) => void) | undefined;
}

async function live({ first, seedCount, onLine, ...options }: Lives): Promise<number> {
  let violatedCount = 0;
  for (let seed = first; seed < first + seedCount; seed++) {
    const startMs = performance.now();
    const { lastLines, ...report } = await simulate({
      seed,
      ...options,
      ...(onLine && { onLine }),
    });
    console.log(JSON.stringify({ ...report, ms: Math.round(performance.now() - startMs) }));
    if (report.violation !== undefined) {
      violatedCount++;
      console.log(lastLines.slice(-40).join("\n"));
    }
    console.log(sentenceOf(report, options));
  }
  return violatedCount > 0 ? 1 : 0;
}

/** What came of a seed, and how to see it again. */
function sentenceOf(
  { seed, operations, violation }: Pick<RunReport, "seed" | "operations" | "violation">,
  { operationCount, plant }: Pick<Lives, "operationCount" | "plant">,
): string {
  const outcome = violation === undefined ? "nothing violated" : `violated: ${violation}`;
  const asked = operationCount === usualOperationCount ? "" : ` --operations ${operationCount}`;
  const planted = plant === soundProduct ? "" : ` --plant "${plant.name}"`;
  return (
    `seed ${seed}: ${operations} operations, ${outcome}; ` +
    `replay: npm run lives -- --seed ${seed}${asked}${planted}`
  );
}

process.exitCode = await exitStatusOf(() => main(process.argv.slice(2)));
