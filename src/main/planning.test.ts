/** `strata plan`, `simulate` and `profile` in process, from words and files to words and files. */
import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { PassThrough } from "node:stream";
import { text } from "node:stream/consumers";
import { after, before, describe, test } from "node:test";
import type { PlanReport, SimulationReport } from "../cli/local-commands.ts";
import { runProgram } from "../cli/program.ts";
import type { Surroundings } from "../cli/surroundings.ts";
import { systemClock } from "../foundation/clock.ts";
import { systemIds } from "../foundation/random.ts";
import { clusterFile, modelsFile, profileFile } from "../planning/exam-files.ts";
import { localCommands } from "./commands.ts";

let folder = "";

before(async () => {
  folder = await mkdtemp(join(tmpdir(), "strata-plan-"));
  await write("models.json", modelsFile);
  await write("cluster.json", clusterFile);
  await write("tiny.json", profileFile);
  await write("measured.json", { ...modelsFile, profiles: { small: "tiny.json" } });
});

after(() => rm(folder, { recursive: true }));

async function write(name: string, content: unknown): Promise<void> {
  const written = typeof content === "string" ? content : JSON.stringify(content);
  await writeFile(join(folder, name), written);
}

interface Outcome {
  readonly status: number;
  readonly output: string;
  readonly errors: string;
}

/** Words with a dot or a slash are files of the folder. */
async function run(words: string, signal = new AbortController().signal): Promise<Outcome> {
  const [output, errors] = [new PassThrough(), new PassThrough()];
  const surroundings: Surroundings = {
    environment: { STRATA_HOME: folder, STRATA_CACHE: join(folder, "cache") },
    ...{ input: new PassThrough(), output, errors, signal },
    ...{ clock: systemClock, ids: systemIds, userFolder: folder, version: "1.2.3" },
  };
  const placed = words.split(" ").map((word) => {
    return /[a-z][./]/.test(word) && !word.startsWith("--") ? join(folder, word) : word;
  });
  const context = { commands: localCommands(surroundings), surroundings };
  const status = await runProgram(placed, context);
  output.end();
  errors.end();
  return { status, output: await text(output), errors: await text(errors) };
}

const plan = "plan --models models.json --cluster cluster.json --duration 60 --no-pictures";

/** The one JSON value of a command that says nothing else. */
async function json<T>(words: string): Promise<T> {
  const { status, output, errors } = await run(`${words} --json`);
  assert.deepEqual({ status, errors }, { status: 0, errors: "" }, words);
  return JSON.parse(output) as T; // The test states its shape.
}

describe("plan", () => {
  test("tells groups, models, methods, what if and the cheapest nodes", async () => {
    const words = `${plan} --out told/ --cheapest --what-if devices=1,4 --what-if rate=1,3`;
    const { status, output, errors } = await run(words);
    assert.equal(status, 0, errors);
    for (const told of [
      /^GROUP +DEVICES +STAGES × EACH +MODELS +REQUESTS +IN TIME +MEAN +P50 +P99\n0 /,
      /\nMODEL .*\n(?:.*\n)*all +\d+ +\d+\.\d\d %/,
      /\nMETHOD +IN TIME\nStrata .*\nselective replication .*\nround robin .*\nre-placement /,
      /\nDEVICES +STRATA .*\n1 +\d.*\n4 +\d/,
      /\nREQUESTS PER SECOND +STRATA .*\n1 +\d.*\n3 +\d/,
      /\nNODES +DEVICES +PER HOUR +IN TIME\n\d × g2/,
      /objective is 99\.00 %; 4 devices, 6\.00 per hour\.\nThe plan is in .*told\/plan\.json\n$/,
    ])
      assert.match(output, told);
    assert.match(errors, /^plan: 0 % search: \d/);
    assert.ok(!existsSync(join(folder, "told/report.html")));
  });

  test("with --json it is one value; one seed gives one plan, and its file", async () => {
    const [one, two] = [
      await json<PlanReport>(`${plan} --seed 5 --out one/`),
      await json<PlanReport>(`${plan} --seed 5 --out two/`),
    ];
    assert.deepEqual({ ...one, plan: "" }, { ...two, plan: "" });
    assert.deepEqual(one.methods[0], { name: "Strata", attainment: one.attainment });
    const files = [one, two].map((report) => readFile(report.plan, "utf8"));
    const [first, second] = await Promise.all(files);
    assert.equal(first, second);
  });

  test("draws pictures of all axes with the methods' curves", async () => {
    const words = "plan --models models.json --cluster cluster.json --duration 20 --seconds 0.01";
    const report = await json<PlanReport>(`${words} --out drawn/`);
    assert.deepEqual(
      report.sweeps.map(({ axis }) => axis.name),
      ["rate", "cv", "slo", "devices"],
    );
    const html = await readFile(report.report ?? "", "utf8");
    assert.equal(html.match(/<svg viewBox="0 0 480 300"/g)?.length, 4);
  });

  test("Ctrl-C leaves the best plan so far; the exit status tells", async () => {
    const { status, output, errors } = await run(`${plan} --out cut/ --json`, AbortSignal.abort());
    assert.equal(status, 10);
    const report = JSON.parse(output) as PlanReport; // what plan prints
    assert.equal(report.isInterrupted, true);
    assert.match(errors, /"code":"CANCELLED","message":"Cannot finish: stopped; .*cut\/plan.json/);
    const simulated = await json<SimulationReport>("simulate cut/plan.json");
    assert.equal(simulated.groups.length, report.groups.length);
  });

  test("takes overheads from the profiles, or those that are named", async () => {
    const words = `${plan.replace("models.json", "measured.json")} --out measured/`;
    const simulation = async (more: string): Promise<string> => {
      await json(`${words}${more}`);
      const file = await readFile(join(folder, "measured/plan.json"), "utf8");
      return /"simulation": \{\s+"name": "(\w+)"/.exec(file)?.[1] ?? "";
    };
    assert.equal(await simulation(""), "tiny");
    assert.equal(await simulation(" --profile-name ideal"), "ideal");
    assert.equal(await simulation(" --profile-name alpaserve"), "alpaserve");
  });

  test("what is wrong is said by file, field and option", async () => {
    await write("broken.json", "{");
    await write("negative.json", {
      ...modelsFile,
      models: [{ name: "a", profile: "small", rate: -1 }],
    });
    await write("unpriced.json", {
      nodes: [{ type: "g", count: 1, deviceCount: 1, deviceBytes: 1 }],
    });
    await write("other.csv", "seconds,model\n0,a\n1,zebra\n");
    await write("lost.json", { ...modelsFile, profiles: { small: "nowhere.json" } });
    for (const [words, status, message] of [
      ["plan --cluster cluster.json", 2, /required option '--models <file>'/],
      [plan.replace("models.json", "none.json"), 2, /Cannot read ".*none\.json": ENOENT/],
      [plan.replace("models.json", "broken.json"), 2, /broken\.json": it is not JSON/],
      [plan.replace("models.json", "negative.json"), 2, /negative\.json": models\[0\]\.rate: /],
      [plan.replace("models.json", "lost.json"), 2, /Cannot read ".*nowhere\.json"/],
      [plan.replace("models.json", "cluster.json"), 2, /cluster\.json": profiles: expected/],
      [`${plan} --trace other.csv`, 2, /other\.csv": line 3: there is no model "zebra"/],
      [`${plan.replace("cluster.json", "unpriced.json")} --cheapest`, 2, /"g" has no pricePerHour/],
      [`${plan} --duration 1e9`, 8, /expected at most 5000000 requests, got about 3\.00e\+9/],
      [`${plan} --attainment 1.5`, 2, /Expected a share above 0, at most 1/],
      [`${plan} --what-if speed=3`, 2, /Expected one of rate, cv, slo, devices/],
      [`${plan} --what-if devices=0.5`, 2, /integer from 1 to 10000/],
      [`${plan} --what-if rate=`, 2, /Expected a number above 0/],
      [`${plan} --deal random`, 2, /Allowed choices are stripe, blocks/],
      [`${plan} --out models.json`, 2, /Cannot write to ".*models\.json"/],
      ["simulate models.json", 2, /models\.json": format: /],
      ["profile nowhere", 5, /nowhere/],
    ] as const) {
      const outcome = await run(words);
      assert.equal(outcome.status, status, `${words}\n${outcome.errors}`);
      assert.match(outcome.errors, message);
      assert.match(outcome.errors, /^Error: Cannot [^\n]*\n$/);
      assert.equal(outcome.output, "");
    }
  });
});

describe("simulate", () => {
  before(async () => {
    await json(`${plan} --out simulated/`);
  });

  const simulate = "simulate simulated/plan.json --duration 60";

  test("repeats what plan said of a trace, by either dispatch where it is calm", async () => {
    const lines = Array.from({ length: 30 }, (_, index) => `${2 * index},${"ab"[index % 2]}`);
    await write("calm.csv", `seconds,model\n${lines.join("\n")}\n`);
    const planned = await json<PlanReport>(`${plan} --trace calm.csv --out calm/`);
    for (const dispatch of ["clocks", "in-flight"]) {
      const words = `simulate calm/plan.json --trace calm.csv --dispatch ${dispatch}`;
      const { attainment, requestCount, p50Seconds } = await json<SimulationReport>(words);
      assert.deepEqual([attainment, requestCount], [planned.attainment, 30]);
      assert.ok(Math.abs(p50Seconds - planned.p50Seconds) < 1e-9);
    }
  });

  test("other rates take the place of the plan's", async () => {
    const [few, many] = [1, 30].map((rate) => ({
      ...modelsFile,
      models: [{ name: "a", profile: "small", rate }],
    }));
    await write("few.json", few);
    await write("many.json", many);
    const [less, more] = [
      await json<SimulationReport>(`${simulate} --models few.json`),
      await json<SimulationReport>(`${simulate} --models many.json`),
    ];
    assert.ok(less.requestCount < 100 && more.requestCount > 1500);
    assert.ok(less.attainment > more.attainment);
    // The other model is not asked for.
    assert.equal(less.models[1]?.requestCount, 0);
  });

  test("prints groups and models, and draws the plan under what it may meet", async () => {
    const { output, errors, status } = await run(`${simulate} --report simulated/report.html`);
    assert.equal(status, 0, errors);
    assert.match(output, /^GROUP .*\n0 (?:.*\n)+\nMODEL .*\n(?:.*\n)*all /);
    const html = await readFile(join(folder, "simulated/report.html"), "utf8");
    assert.equal(html.match(/<figcaption>In time, by (?:rate|burstiness|deadline)</g)?.length, 3);
  });
});
