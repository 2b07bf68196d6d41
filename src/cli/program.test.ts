/** The command line in process: its words, its streams and its exit statuses. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { mkdtemp, readFile, rm, stat, writeFile } from "node:fs/promises";
import { type AddressInfo, createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { PassThrough } from "node:stream";
import { text } from "node:stream/consumers";
import { after, before, test } from "node:test";
import { systemClock } from "../foundation/clock.ts";
import { StrataError } from "../foundation/errors.ts";
import { systemIds } from "../foundation/random.ts";
import type {
  Finding,
  HierarchiseOptions,
  LocalCommands,
  PullReport,
  ServeOptions,
} from "./local-commands.ts";
import { createProgram, runProgram } from "./program.ts";
import type { Surroundings } from "./surroundings.ts";

let home = "";

before(async () => {
  home = await mkdtemp(join(tmpdir(), "strata-cli-"));
});

after(() => rm(home, { recursive: true }));

interface Outcome {
  readonly status: number;
  readonly output: string;
  readonly errors: string;
}

interface Setting {
  readonly commands?: Partial<LocalCommands>;
  readonly environment?: Readonly<Record<string, string>>;
  readonly isTTY?: boolean;
}

async function run(words: readonly string[], setting: Setting = {}): Promise<Outcome> {
  const { context, output, errors } = contextOf(setting);
  const status = await runProgram(words, context);
  output.end();
  errors.end();
  return { status, output: await text(output), errors: await text(errors) };
}

function contextOf({ commands, environment, isTTY = false }: Setting = {}) {
  const output = Object.assign(new PassThrough(), { isTTY });
  const errors = Object.assign(new PassThrough(), { isTTY: false });
  const surroundings: Surroundings = {
    environment: { STRATA_HOME: home, ...environment },
    input: new PassThrough(),
    output,
    errors,
    signal: new AbortController().signal,
    clock: systemClock,
    ids: systemIds,
    userFolder: home,
    version: "1.2.3",
  };
  const absent = () => Promise.reject(new StrataError("UNSUPPORTED", "Cannot do: not here"));
  const local: LocalCommands = {
    serve: absent,
    pullBase: absent,
    hierarchiseBase: absent,
    listBases: absent,
    removeBase: absent,
    demo: absent,
    doctor: absent,
    plan: absent,
    simulate: absent,
    profile: absent,
    async readTexts(chunks) {
      // What it reads with is loaded first, as in the program.
      await new Promise((resolve) => setTimeout(resolve, 20));
      for await (const chunk of chunks) assert.ok(chunk);
      return { texts: [], warnings: [] };
    },
    ...commands,
  };
  return { context: { commands: local, surroundings }, output, errors };
}

function commandPaths(): string[][] {
  const program = createProgram(contextOf().context);
  return program.commands.flatMap((command) =>
    command.commands.length === 0
      ? [[command.name()]]
      : command.commands.map((child) => [command.name(), child.name()]),
  );
}

test("every command has help with an example, --json and --home", async () => {
  const paths = commandPaths();
  assert.ok(paths.length >= 15);
  for (const path of paths) {
    const { status, output, errors } = await run([...path, "--help"]);
    assert.equal(status, 0, path.join(" "));
    assert.equal(errors, "");
    assert.match(output, new RegExp(`^Usage: strata ${path.join(" ")}`));
    assert.match(output, /Examples:\n {2}\$ .*strata /);
    assert.match(output, /--json/);
    assert.match(output, /--home/);
  }
});

test("no command shows the commands; --version shows the version", async () => {
  assert.match((await run([])).output, /Commands:\n {2}serve/);
  assert.deepEqual(await run(["--version"]), { status: 0, output: "1.2.3\n", errors: "" });
});

test("wrong words exit with 2, say what is wrong and print nothing on stdout", async () => {
  for (const [words, message] of [
    [["serv"], /unknown command 'serv' \(Did you mean serve\?\)/],
    [["base"], /expected a command/],
    [["base", "pull"], /missing required argument 'name'/],
    [["train", "x"], /required option '--file <path>'/],
    [["serve", "--port", "70000"], /integer from 0 to 65535/],
    [["serve", "--precision", "int4"], /Allowed choices are int8, fp32/],
    [["list", "dogs"], /Allowed choices are models, jobs, files/],
    [["list", "--url", "nowhere"], /Cannot call "nowhere"/],
    [["list", "--api-key-file", join(home, "none")], /Cannot read API key ".*none"/],
    [["list", "--api-key-file", "f", "--api-key", "k"], /cannot be used with option/],
    [["list", "--patience", "-1"], /integer from 0 to 3600/],
    [["create", "x", "--base", "b"], /expected either --labels or --file/],
    [["predict", "m", "--file", join(home, "none")], /Cannot read ".*none"/],
    [["train", "m", "--file", join(home, "none")], /Cannot read ".*none"/],
    [["delete", "m"], /add --yes/],
  ] as const) {
    const { status, output, errors } = await run(words);
    assert.equal(status, 2, words.join(" "));
    assert.equal(output, "");
    assert.match(errors, message);
    assert.match(errors, /^Error: Cannot [^\n]*\n$/);
  }
});

test("with --json an error is a JSON object on stderr, with the status of its code", async () => {
  const { status, output, errors } = await run([
    "show",
    "x",
    "--json",
    "--home",
    join(home, "empty"),
    "--url",
    "http://strata.invalid",
  ]);
  assert.equal(status, 3);
  assert.equal(output, "");
  const place = `--api-key-file, STRATA_API_KEY or the file "api-key" in "${home}/empty"`;
  assert.deepEqual(JSON.parse(errors), {
    error: {
      code: "UNAUTHENTICATED",
      message: `Cannot call a server: expected a key in ${place}`,
      exitStatus: 3,
    },
  });
});

test("a server that is not there gives UNAVAILABLE, its address and what to do", async () => {
  const passing = createServer().listen(0, "127.0.0.1");
  await once(passing, "listening");
  const { port } = passing.address() as AddressInfo; // It listens on a port.
  passing.close();
  const url = `http://127.0.0.1:${port}`;
  const environment = { STRATA_API_KEY: "k", STRATA_URL: url };
  const { status, errors } = await run(["list", "--patience", "0"], { environment });
  assert.equal(status, 11);
  const cure =
    'nothing listens there; start a server with "strata serve", or wait longer for one that is ' +
    "starting, with --patience 120";
  assert.equal(errors, `Error: Cannot reach the server at ${url}: ${cure}\n`);
});

test("a key on the command line is taken with a warning, one in a file without", async () => {
  const wrong = join(home, "wrong-key");
  await writeFile(wrong, "two words\n");
  for (const [words, errors] of [
    [["--api-key", "two words"], /^Warning: other users can read --api-key.*\nError: .*ASCII/],
    [["--api-key-file", wrong], /^Error: Cannot use API key: .*printable ASCII/],
  ] as const) {
    for (const command of ["list", "serve"]) {
      const told = await run([command, ...words]);
      assert.equal(told.status, 2);
      assert.match(told.errors, errors);
      assert.ok(!told.errors.includes("two words"));
    }
  }
  const empty = join(home, "empty-key");
  await writeFile(empty, " \n");
  assert.match((await run(["list", "--api-key-file", empty])).errors, /empty-key": .* empty/);
});

test("errors of local commands give their code's status; a bug gives 1", async () => {
  assert.equal((await run(["doctor"])).status, 14);
  const doctor = () => Promise.reject(new TypeError("x is not a function"));
  const { status, errors } = await run(["doctor"], { commands: { doctor } });
  assert.equal(status, 1);
  assert.equal(errors, "Error: Cannot run: x is not a function\n");
});

test("serve draws a key once, for the owner's eyes only, and takes a given one", async () => {
  const served: ServeOptions[] = [];
  const serve: LocalCommands["serve"] = (options, onReady) => {
    served.push(options);
    onReady({ url: "http://127.0.0.1:1" });
    return Promise.resolve();
  };
  const commands = { serve };
  const first = await run(["serve", "--json"], { commands });
  assert.deepEqual(JSON.parse(first.output), { url: "http://127.0.0.1:1", home });
  await run(["serve"], { commands });
  const given = await run(["serve", "--workers", "2"], {
    commands,
    environment: { STRATA_API_KEY: "mine" },
  });
  const stored = (await readFile(join(home, "api-key"), "utf8")).trim();
  assert.match(stored, /^sk-strata-[0-9a-z]{24}$/);
  assert.equal((await stat(join(home, "api-key"))).mode & 0o777, 0o600);
  assert.deepEqual(
    served.map(({ apiKey, workerCount }) => [apiKey, workerCount]),
    [
      [stored, undefined],
      [stored, undefined],
      ["mine", 2],
    ],
  );
  for (const { output, errors } of [first, given])
    assert.ok(!(output + errors).includes(stored) && !(output + errors).includes("mine"));
});

const findings: readonly Finding[] = [
  { check: "disk", status: "ok", message: "9 GB free" },
  { check: "runtime", status: "fail", message: "cannot be loaded", cure: "Install it." },
];

test("doctor prints each finding with its cure, and fails when one failed", async () => {
  const commands = { doctor: () => Promise.resolve(findings) };
  const told = await run(["doctor"], { commands });
  assert.equal(told.status, 14);
  assert.equal(
    told.output,
    "ok    disk: 9 GB free\nfail  runtime: cannot be loaded\n      Install it.\n",
  );
  const json = await run(["doctor", "--json"], { commands });
  assert.deepEqual(JSON.parse(json.output), findings);
});

test("colours appear on a terminal alone, and never with NO_COLOR", async () => {
  const commands = { doctor: () => Promise.resolve(findings) };
  const escape = "\u001b[";
  assert.ok((await run(["doctor"], { commands, isTTY: true })).output.includes(escape));
  const environment = { NO_COLOR: "1" };
  const plain = await run(["doctor"], { commands, environment, isTTY: true });
  assert.ok(!plain.output.includes(escape));
  assert.ok(!(await run(["doctor"], { commands })).output.includes(escape));
});

test("a download in a log prints a line a quarter, and with --json none", async () => {
  const row: PullReport = {
    ...{ id: "b", source: "dir:b", digest: "sha256:0", bytes: 4 },
    ...{ isPresent: true, isHierarchical: false },
  };
  const pullBase: LocalCommands["pullBase"] = (_, onProgress) => {
    for (const doneBytes of [0, 1, 2, 3, 4])
      onProgress({ step: "copying", doneBytes: doneBytes * 1_000_000, totalBytes: 4_000_000 });
    return Promise.resolve(row);
  };
  const told = await run(["base", "pull", "b"], { commands: { pullBase } });
  assert.equal(told.output, "b is ready (dir:b); a server that runs serves it after a restart.\n");
  assert.deepEqual(told.errors.split("\n").slice(0, 2), [
    "b: 0 % copying 0 B of 4.0 MB",
    "b: 25 % copying 1.0 MB of 4.0 MB",
  ]);
  const json = await run(["base", "pull", "b", "--json"], { commands: { pullBase } });
  assert.deepEqual([JSON.parse(json.output), json.errors], [row, ""]);
});

test("pull says that a source was not used, since the base was here already", async () => {
  const row: PullReport = {
    ...{ id: "b", source: "pypi:b", digest: "sha256:0", bytes: 4 },
    ...{ isPresent: true, isHierarchical: false, unusedSource: "dir:/nope" },
  };
  const pullBase = () => Promise.resolve(row);
  const told = await run(["base", "pull", "b", "--source", "dir:/nope"], {
    commands: { pullBase },
  });
  assert.equal(told.output, "b is already here, from pypi:b; --source was not used.\n");
});

test("pull says what became of the hierarchical form, list shows where it is", async () => {
  const dense = {
    ...{ id: "b", source: "dir:b", digest: "sha256:0", bytes: 4 },
    ...{ isPresent: true, isHierarchical: false },
  };
  const both = { ...dense, id: "h", isHierarchical: true };
  for (const [hierarchy, sentence] of [
    ["installed", "Its hierarchical form is installed."],
    ["present", "Its hierarchical form was here already."],
  ] as const) {
    const pullBase: LocalCommands["pullBase"] = ({ isHierarchical }) =>
      Promise.resolve(isHierarchical ? { ...both, hierarchy } : dense);
    const plain = await run(["base", "pull", "b"], { commands: { pullBase } });
    assert.equal(
      plain.output,
      "b is ready (dir:b); a server that runs serves it after a restart.\n",
    );
    const told = await run(["base", "pull", "h", "--hierarchical"], { commands: { pullBase } });
    assert.equal(
      told.output,
      `h is ready (dir:b); a server that runs serves it after a restart.\n${sentence}\n`,
    );
  }
  const listBases = () => Promise.resolve([dense, both]);
  const table = await run(["base", "list"], { commands: { listBases } });
  const [head = "", first, second] = table.output.split("\n");
  const column = head.indexOf("HIERARCHICAL");
  assert.ok(column > 0);
  assert.deepEqual([first?.[column], second?.slice(column, column + 7)], [" ", "present"]);
  const json = await run(["base", "list", "--json"], { commands: { listBases } });
  assert.deepEqual(JSON.parse(json.output), [dense, both]);
});

test("hierarchise hands on what learns and from where, and tells both nearnesses", async () => {
  const asked: HierarchiseOptions[] = [];
  const hierarchiseBase: LocalCommands["hierarchiseBase"] = (options) => {
    asked.push(options);
    return Promise.resolve({
      ...{ weights: "o/w", report: "o/r", errors: [0.1], tokenCount: 9 },
      ...{ cosine: 0.96, lookedUpCosine: 0.94 },
    });
  };
  const words = ["base", "hierarchise", "b", "--text", "t", "--out", "o"];
  const told = await run([...words, "--from", "w", "--learn", "upper"], {
    commands: { hierarchiseBase },
  });
  assert.match(told.output, /cosine 0\.9600 to b .* 0\.9400 as a table finds them\nThe curves/);
  await run(words, { commands: { hierarchiseBase } });
  assert.deepEqual(
    asked.map(({ fromPath, learns, textPath, outFolder }) => [
      fromPath,
      learns,
      textPath,
      outFolder,
    ]),
    [
      ["w", "upper", "t", "o"],
      [undefined, undefined, "t", "o"],
    ],
  );
  const wrong = await run([...words, "--learn", "all"], { commands: { hierarchiseBase } });
  assert.notEqual(wrong.status, 0);
  assert.match(wrong.errors, /ngrams, merge, upper/);
});
