/** The compiled command line in real processes: a server with a tiny base, and its callers. */
import assert from "node:assert/strict";
import type { ChildProcess } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { after, before, describe, it } from "node:test";
import { present } from "../src/foundation/assert.ts";
import { outcomeOf, ProgramFolder } from "./exam-program.ts";

let folder: ProgramFolder;
let file = "";

/** The one JSON value on stdout of a command that must succeed and say nothing else. */
async function json<T>(words: readonly string[], input = ""): Promise<T> {
  const { status, output, errors } = await folder.run([...words, "--json"], input);
  assert.deepEqual({ status, errors }, { status: 0, errors: "" }, words.join(" "));
  return JSON.parse(output) as T; // The test states its shape.
}

interface Failure {
  readonly code: string;
  readonly message: string;
  readonly exitStatus: number;
  readonly hint?: string;
}

/** The JSON on stderr of a command that must fail and print nothing on stdout. */
async function failure(words: readonly string[]): Promise<Failure> {
  const { status, output, errors } = await folder.run([...words, "--json"]);
  assert.equal(output, "");
  const { error } = JSON.parse(errors) as { error: Failure }; // What the next line checks.
  assert.equal(error.exitStatus, status);
  return error;
}

const lines = Array.from({ length: 40 }, (_, index) => {
  const isLamp = index % 2 === 0;
  const word = isLamp ? "lamp" : "the";
  return { text: `${word} ${word} ${index}`, label: isLamp ? "light" : "other" };
});

before(async () => {
  folder = await ProgramFolder.create();
  const content = lines.map((line) => JSON.stringify(line)).join("\n");
  file = await folder.write("lamps.jsonl", `${content}\nnonsense\n`);
});

after(() => folder.remove());

describe("without a server", () => {
  it("shows help and version", async () => {
    const help = await folder.run(["--help"]);
    assert.equal(help.status, 0);
    assert.match(help.output, /^Usage: strata /);
    assert.match((await folder.run(["--version"])).output, /^\d+\.\d+\.\d+\n$/);
  });

  it("fails with the status of the error's code", async () => {
    assert.deepEqual(await failure(["lists"]), {
      code: "INVALID_ARGUMENT",
      message: "Cannot run: unknown command 'lists' (Did you mean list?)",
      exitStatus: 2,
    });
    const away = ["list", "--patience", "0", "--url"];
    assert.equal((await failure([...away, "http://a.invalid"])).code, "UNAUTHENTICATED");
    assert.equal(
      (await failure([...away, "http://127.0.0.1:9", "--api-key", "k"])).code,
      "UNAVAILABLE",
    );
    assert.equal((await failure(["serve", "--port", "0"])).code, "CONFLICT");
  });

  it("pulls a base from a folder, once and again", async () => {
    const pull = ["base", "pull", "tiny", "--source", `dir:${join(folder.path, "tiny")}`];
    const first = await json<{ id: string; digest: string; isPresent: boolean }>(pull);
    assert.equal(first.id, "tiny");
    assert.equal(first.isPresent, true);
    assert.deepEqual(await json(pull), first);
    const rows = await json<{ id: string; isPresent: boolean }[]>(["base", "list"]);
    assert.deepEqual(
      rows.map(({ id, isPresent }) => [id, isPresent]),
      [
        ["tiny", true],
        ["all-MiniLM-L6-v2", false],
        ["all-mpnet-base-v2", false],
      ],
    );
  });

  it("says what is missing", async () => {
    const { status, output } = await folder.run(["doctor", "--json"]);
    assert.equal(status, 0);
    type Findings = { check: string; status: string; cure?: string }[];
    const findings = JSON.parse(output) as Findings; // What the next lines check.
    const server = findings.find(({ check }) => check === "server");
    assert.equal(server?.status, "warn");
    assert.match(server?.cure ?? "", /strata serve/);
    assert.deepEqual(
      findings.filter((finding) => finding.status === "fail"),
      [],
    );
  });
});

describe("with a server", () => {
  let server: ChildProcess;

  before(async () => {
    server = await folder.serve();
  });

  it("creates a model from a file, says which lines it skipped, and predicts", async () => {
    const created = await folder.run(["create", "lamps", "--base", "tiny", "--file", file]);
    assert.equal(created.status, 0, created.errors);
    assert.match(created.output, /^lamps: text-classification on tiny, version 1\n/);
    assert.match(created.errors, /line 41/);
    type Predictions = { text: string; label: string; scores: { score: number }[] }[];
    const predicted = await json<Predictions>(["predict", "lamps"], "lamp lamp\n\nthe the\n");
    assert.deepEqual(
      predicted.map(({ text: input }) => input),
      ["lamp lamp", "the the"],
    );
    for (const { scores } of predicted)
      assert.ok(Math.abs(scores.reduce((sum, { score }) => sum + score, 0) - 1) < 1e-5);
    const plain = await folder.run(["predict", "lamps", "lamp lamp"]);
    assert.equal(plain.output.split("\t")[0], predicted[0]?.label);
  });

  it("trains, shows versions and moves the alias", async () => {
    const words = ["train", "lamps", "--file", file, "--epochs", "2", "--seed", "1", "--wait"];
    const job = await json<{ id: string; status: string }>(words);
    assert.equal(job.status, "succeeded");
    type Shown = { versions: { version: number; kind: string; job: string | null }[] };
    const { versions } = await json<Shown>(["show", "lamps"]);
    const one = await json<Shown>(["show", "lamps@1"]);
    assert.deepEqual(one.versions, versions.slice(0, 1));
    assert.deepEqual(
      versions.map(({ version, kind }) => [version, kind]),
      [
        [1, "instant"],
        [2, "trained"],
      ],
    );
    assert.equal(versions[1]?.job, job.id);
    for (const version of [2, 1]) {
      await json(["alias", "lamps", String(version)]);
      const { model } = await json<{ model: { strata: { version: number } } }>(["show", "lamps"]);
      assert.equal(model.strata.version, version);
    }
    const listed = await json<{ id: string }[]>(["list", "jobs"]);
    assert.deepEqual(
      listed.map(({ id }) => id),
      [job.id],
    );
  });

  it("stops waiting on Ctrl-C while the job goes on", async () => {
    const child = folder.start(["train", "lamps", "--file", file, "--epochs", "200", "--wait"]);
    const told = createInterface(present(child.stderr, "piped"));
    const ended = outcomeOf(child);
    const id = await new Promise<string>((resolve) => {
      told.on("line", (line) => {
        const found = /^Job (ftjob-\w+)$/.exec(line);
        if (found?.[1] !== undefined) resolve(found[1]);
      });
    });
    child.kill("SIGINT");
    const { status, errors } = await ended;
    assert.equal(status, 10, errors);
    assert.match(errors, new RegExp(`the job goes on; look at it with "strata show ${id}"`));
    const { job } = await json<{ job: { status: string } }>(["show", id]);
    assert.ok(!["cancelled", "failed"].includes(job.status), job.status);
  });

  it("answers mistakes with the server's error", async () => {
    assert.equal((await failure(["predict", "nobody", "x"])).code, "NOT_FOUND");
    assert.equal((await failure(["list", "--api-key", "wrong"])).code, "UNAUTHENTICATED");
    for (const flags of [[], ["--json"]]) {
      const words = ["predict", "lamps", "--file", join(folder.path, "none"), ...flags];
      const { status, output, errors } = await folder.run(words);
      assert.deepEqual({ status, output }, { status: 2, output: "" });
      assert.match(errors, /Cannot read .*none/);
    }
    const again = ["create", "lamps", "--base", "tiny", "--labels", "a,b"];
    assert.equal((await failure(again)).code, "ALREADY_EXISTS");
    assert.equal((await failure(["delete", "lamps"])).code, "INVALID_ARGUMENT");
    assert.equal((await failure(["base", "remove", "tiny"])).code, "CONFLICT");
  });

  it("leaves no file of a call that was refused", async () => {
    const before = await json(["list", "files"]);
    const few = await folder.write("few.jsonl", JSON.stringify(lines[0]));
    for (const words of [
      ["create", "lamps", "--base", "tiny", "--file", file],
      ["create", "bad/name", "--base", "tiny", "--file", file],
      ["create", "other", "--base", "none", "--file", file],
      ["create", "other", "--base", "lamps", "--file", file],
      ["create", "other", "--base", "tiny", "--file", few],
      ["train", "none", "--file", file],
      ["train", "tiny", "--file", file, "--suffix", "bad/name"],
      ["train", "lamps", "--file", file, "--validation", folder.path],
    ]) {
      assert.notEqual((await folder.run(words)).status, 0, words.join(" "));
      assert.deepEqual(await json(["list", "files"]), before, words.join(" "));
    }
  });

  it("says what to do about a mistake", async () => {
    for (const [words, errors] of [
      [["create", "x", "--base", "none", "--labels", "a,b"], /has tiny\nHint: .*base list.*pull/],
      [["create", "lamps", "--base", "tiny", "--labels", "a,b"], /\nHint: .*train lamps .*delete/],
      [["create", "x", "--base", "tiny", "--labels", "a"], /2 to 1000 labels, got 1\n$/],
      [["train", "none", "--file", file], /does not exist\nHint: .*strata list\n$/],
      [["show", "lamps@99"], /no such version\nHint: .*strata show lamps\n$/],
      [["show", "none"], /does not exist\nHint: .*strata list\n$/],
      [["show", "ftjob-none"], /\nHint: .*strata list jobs\n$/],
      [["cancel", "lamps"], /\nHint: .*strata list jobs\n$/],
      [["profile", "none"], /it is not here; get it by: strata base pull none/],
      [["list", "--url", "http://127.0.0.1:1"], /fetch refuses to call this port/],
    ] as const)
      assert.match((await folder.run(words)).errors, errors, words.join(" "));
    const { hint } = await failure(["show", "none"]);
    assert.match(hint ?? "", /strata list/);
  });

  it("tells of the instant version that a training makes, and how to train a model", async () => {
    await json(["create", "fresh", "--base", "tiny", "--labels", "light,other"]);
    const unready = await folder.run(["predict", "fresh", "x"]);
    assert.match(unready.errors, /no version yet\nHint: .*strata train fresh --file/);
    const words = ["train", "fresh", "--file", file, "--epochs", "1", "--wait"];
    const { status, errors } = await folder.run(words);
    assert.equal(status, 0, errors);
    assert.match(errors, /^Version 1: instant head, .*can be called now$/m);
    const shown = await folder.run(["show", "fresh"]);
    assert.match(shown.output, /^version 1, when published: Served: the first version$/m);
    assert.doesNotMatch(shown.output, /by alias/);
    const none = await failure(["predict", "fresh@9", "x"]);
    assert.match(none.message, /^Cannot find version 9 of "fresh": it has 1, 2$/);
    assert.match(none.hint ?? "", /strata show fresh$/);
    const other = /fresh: .*version 2$/m.test(shown.output) ? 1 : 2;
    await json(["alias", "fresh", String(other)]);
    const moved = await folder.run(["show", "fresh"]);
    assert.match(moved.output, new RegExp(`^\\W*${other}\\W.* serves by alias `, "m"));
    await json(["delete", "fresh", "--yes"]);
  });

  it("deletes a version that is not served, a finished job and a file", async () => {
    const jobs = await json<{ id: string; status: string }[]>(["list", "jobs"]);
    const job = jobs.find(({ status }) => status === "succeeded")?.id ?? "";
    const [file] = await json<{ id: string }[]>(["list", "files", "--limit", "1"]);
    await json(["alias", "lamps", "1"]);
    assert.equal((await failure(["delete", "lamps@1", "--yes"])).code, "CONFLICT");
    for (const id of ["lamps@2", job, file?.id ?? ""]) {
      assert.deepEqual(await json(["delete", id, "--yes"]), { id, deleted: true });
      assert.equal((await failure(["delete", id, "--yes"])).code, "NOT_FOUND", id);
    }
  });

  it("deletes a model", async () => {
    assert.deepEqual(await json(["delete", "lamps", "--yes"]), { id: "lamps", deleted: true });
    assert.equal((await failure(["show", "lamps"])).code, "NOT_FOUND");
  });

  it("ends well on SIGTERM", async () => {
    const exit = once(server, "exit");
    server.kill("SIGTERM");
    assert.deepEqual(await exit, [0, null]);
  });
});
