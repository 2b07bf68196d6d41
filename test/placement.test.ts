/** Planning as a person would: a base is measured, and the example of docs/placement.md is run. */
import assert from "node:assert/strict";
import { cpSync, readFileSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { join, resolve } from "node:path";
import { after, before, test } from "node:test";
import type { PlanReport, ProfileReport } from "../src/cli/local-commands.ts";
import { ProgramFolder } from "./exam-program.ts";

const home = resolve(import.meta.dirname, "../..");
let folder: ProgramFolder;

before(async () => {
  folder = await ProgramFolder.create();
  cpSync(join(home, "examples/placement"), folder.path, { recursive: true });
  // Programs run where this process is.
  process.chdir(folder.path);
});

after(() => folder.remove());

test("the commands of docs/placement.md run, and leave what they say", async () => {
  const document = readFileSync(join(home, "docs/placement.md"), "utf8");
  const commands = document.match(/(?<=^npx strata ).+$/gm) ?? [];
  assert.equal(commands.length, 4);
  for (const command of commands) {
    const { status, errors } = await folder.run(command.split(" "));
    assert.equal(status, 0, `${command}\n${errors}`);
  }
  for (const report of ["plan/report.html", "traced/simulation.html"])
    assert.match(await readFile(join(folder.path, report), "utf8"), /^<!doctype html>/);
});

test("a measured base is planned with", async () => {
  const json = async <T>(words: string): Promise<T> => {
    const { status, output, errors } = await folder.run([...words.split(" "), "--json"]);
    assert.deepEqual({ status, errors }, { status: 0, errors: "" }, words);
    return JSON.parse(output) as T; // The test states its shape.
  };
  await json(`base pull tiny --source dir:${join(folder.path, "tiny")}`);
  const measured = await json<ProfileReport>(
    "profile tiny --precision fp32 --cores 1 --batches 1,2 --tokens 4 --out measured.json",
  );
  assert.equal(measured.profile, "measured.json");
  assert.ok(measured.configurations.length > 0);
  const models = { profiles: { tiny: "measured.json" }, models: [{ name: "t", profile: "tiny" }] };
  const rated = { ...models, models: [{ ...models.models[0], rate: 5 }] };
  await folder.write("tiny-models.json", JSON.stringify(rated));
  const { attainment } = await json<PlanReport>(
    "plan --models tiny-models.json --cluster cluster.json --slo-seconds 1 --no-pictures",
  );
  assert.ok(attainment > 0.99, String(attainment));
});
