/**
 * The whole server under simulation: fixed seeds, fresh ones for a while, and the proof that both
 * repeat and that known faults are found. A seed that fails is replayed by
 * `npm run lives -- --seed N`; its last lines are printed.
 */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { randomInt } from "node:crypto";
import { join } from "node:path";
import { test } from "node:test";
import { plants } from "./planted.ts";
import { type RunReport, simulate } from "./simulation.ts";

const operationCount = 200;
const fixedSeeds = [1, 2, 3];
/** How long fresh seeds are tried. */
const freshMs = 20_000;

const summed = ["operations", "crashes", "faults", "published"] as const;

function assertSound({ seed, violation, lastLines }: RunReport): void {
  if (violation === undefined) return;
  const replay = `npm run lives -- --seed ${seed} --operations ${operationCount} --trace`;
  assert.fail(`${violation}\n${lastLines.slice(-60).join("\n")}\nreplay: ${replay}`);
}

for (const seed of fixedSeeds)
  test(`seed ${seed} violates nothing`, async () => {
    assertSound(await simulate({ seed, operationCount }));
  });

test(`fresh seeds violate nothing, for ${freshMs / 1000} s`, async () => {
  const endMs = performance.now() + freshMs;
  const sums = { operations: 0, crashes: 0, faults: 0, published: 0 };
  while (performance.now() < endMs) {
    const report = await simulate({ seed: randomInt(2 ** 32 - 1), operationCount });
    assertSound(report);
    for (const name of summed) sums[name] += report[name];
  }
  for (const [name, sum] of Object.entries(sums)) assert.ok(sum > 0, `no ${name} at all`);
});

test("a seed repeats to the byte, in one process and in another", async () => {
  const seed = 5;
  const [one, other] = [
    await simulate({ seed, operationCount }),
    await simulate({ seed, operationCount }),
  ];
  assert.equal(one.digest, other.digest);
  const program = join(import.meta.dirname, "main.js");
  const given = ["--seed", String(seed), "--operations", String(operationCount)];
  const { stdout } = spawnSync(process.execPath, [program, ...given], { encoding: "utf8" });
  assert.match(stdout, new RegExp(`"digest":"${one.digest}"`));
  const third = await simulate({ seed: seed + 1, operationCount });
  assert.notEqual(third.digest, one.digest);
});

/** Faults that nearly every seed shows; the claim `lives` finds the others too. */
const quickly = ["a name is an identity", "nobody holds a blob", "folders are not synced"];

for (const plant of plants.filter(({ name }) => quickly.includes(name)))
  test(`a planted fault is found: ${plant.name}`, async () => {
    for (let seed = 1; seed <= 20; seed++) {
      const { violation } = await simulate({ seed, operationCount, plant });
      if (violation !== undefined) return;
    }
    assert.fail("20 seeds have not shown it");
  });
