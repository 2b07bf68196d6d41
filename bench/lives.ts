/**
 * Claim `lives`: thousands of operations of the whole server, interleaved, crashed and damaged by
 * seed, violate nothing; and faults that are put back are found, each by a seed that repeats.
 */
import { plants } from "../test/lives/planted.ts";
import { type RunReport, simulate } from "../test/lives/simulation.ts";
import type { BenchOptions, BenchResult } from "./claim.ts";
import { machine, round } from "./measure.ts";

/** What one seed's clients begin. */
const operationCount = 400;
/** Seeds of the claim; those of the planted faults are its own. */
const firstSeed = 1_000;
/** A planted fault that so many seeds do not show is not found. */
const plantSeedCount = 60;

const summed = ["operations", "published", "crashes", "disturbedJobs", "faults"] as const;

const quick = { operationsMin: 2_000 };
const full = { operationsMin: 20_000 };

export async function benchLives({ isQuick }: BenchOptions): Promise<BenchResult> {
  const { operationsMin } = isQuick ? quick : full;
  const sums = { operations: 0, published: 0, crashes: 0, disturbedJobs: 0, faults: 0 };
  const violations: string[] = [];
  const startMs = performance.now();
  for (let seed = firstSeed; sums.operations < operationsMin; seed++) {
    const report = await simulate({ seed, operationCount });
    for (const name of summed) sums[name] += report[name];
    if (report.violation !== undefined) violations.push(`seed ${seed}: ${report.violation}`);
  }
  const seconds = (performance.now() - startMs) / 1000;
  const found = await findPlanted();
  return {
    ...sums,
    seconds: round(seconds),
    operationsPerMinute: Math.round((60 * sums.operations) / seconds),
    violations: violations.length,
    planted: plants.length,
    plantedFound: found.filter(({ isRepeated }) => isRepeated).length,
    targets: {
      operationsPerMinute: 20_000,
      published: 300,
      crashes: 300,
      disturbedJobs: 300,
      faults: 1_000,
      violations: 0,
      plantedFound: plants.length,
    },
    ...(violations.length > 0 && { violated: violations }),
    plants: found,
    sizes: { operationCount, firstSeed, plantSeedCount },
    machine: machine(),
  };
}

interface Found {
  readonly name: string;
  /** The first seed that shows the fault. */
  readonly seed: number | undefined;
  readonly violation: string | undefined;
  /** Whether the seed gives the same trace, to the last byte, once more. */
  readonly isRepeated: boolean;
}

async function findPlanted(): Promise<readonly Found[]> {
  const found: Found[] = [];
  for (const plant of plants) {
    let first: RunReport | undefined;
    for (let seed = 1; seed <= plantSeedCount && first?.violation === undefined; seed++)
      first = await simulate({ seed, operationCount, plant });
    if (first?.violation === undefined) {
      found.push({ name: plant.name, seed: undefined, violation: undefined, isRepeated: false });
      continue;
    }
    const { seed, violation, digest } = first;
    const again = await simulate({ seed, operationCount, plant });
    found.push({ name: plant.name, seed, violation, isRepeated: again.digest === digest });
  }
  return found;
}
