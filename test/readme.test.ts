/**
 * The README's quick start, pasted at once into a shell as a newcomer would: nothing of it is
 * repeated here, and only the port is another.
 */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { chmod, mkdir, mkdtemp, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { createServer, type AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { after, before, test } from "node:test";
import { present } from "../src/foundation/assert.ts";
import { realBaseFolder } from "./exam-real-base.ts";

/** Ends a shell that hangs, which then fails by its status. */
const pasteMsMax = 240_000;
const program = new URL("../src/main/main.js", import.meta.url).pathname;
let folder = "";

before(async () => {
  folder = await mkdtemp(join(tmpdir(), "strata-readme-"));
  await mkdir(join(folder, "node_modules", ".bin"), { recursive: true });
  await chmod(program, 0o755);
  await symlink(program, join(folder, "node_modules", ".bin", "strata"));
  await writeFile(join(folder, "package.json"), '{ "name": "newcomer" }');
});

after(() => rm(folder, { recursive: true }));

/** The shell's blocks that call a server, in their order. */
async function blocks(): Promise<readonly string[]> {
  const text = await readFile(new URL("../../README.md", import.meta.url), "utf8");
  const found = Array.from(text.matchAll(/^```sh\n([^]*?)^```$/gm), ([, block = ""]) => block);
  return found.filter((block) => /127\.0\.0\.1/.test(block));
}

test("the quick start, pasted at once, ends in an own model's answers", async (context) => {
  const base = await realBaseFolder(context);
  if (base === undefined) return;
  const [commands = "", call = "", entities = ""] = await blocks();
  assert.match(commands, /strata serve &/);
  assert.match(call, /^curl /);
  assert.match(entities, /strata predict trips/);
  const url = `http://127.0.0.1:${await freePort()}`;
  const paste = `set -e\n${commands}${call}echo\n${entities}`
    .replace("strata serve &", `strata serve --port ${new URL(url).port} &`)
    .replaceAll("http://127.0.0.1:7860", url);
  const environment = {
    PATH: `${dirname(process.execPath)}:${process.env["PATH"] ?? ""}`,
    HOME: folder,
    // The base that was pulled just now; the first command finds it there.
    STRATA_CACHE: dirname(dirname(base)),
    STRATA_URL: url,
  };
  const { status, output, errors } = await pasted(paste, environment);
  assert.equal(status, 0, errors);
  assert.doesNotMatch(output + errors, /Error|error:/);
  assert.match(errors, /^Waiting up to 15 s for the server at http/m);
  assert.match(output, /^tickets: text-classification on all-MiniLM-L6-v2, version 1$/m);
  assert.match(output, /^ftjob-\w+: succeeded, model tickets\nversion 2: \S/m);
  assert.match(output, /^transfer\t0\.\d{4}\twhere is the money that I sent\?$/m);
  assert.match(output, /^take the train to \[Berlin\]\(city 0\.\d\d\)$/m);
  assert.match(output, /^\{"object".*"entity_group":"city".*"word":"Berlin"/m);
  const answer = present(/^\{"object".*$/m.exec(output)?.[0], output);
  const { data } = JSON.parse(answer) as { data: { label: string }[] }; // The next line checks it.
  assert.equal(data[0]?.label, "transfer");
});

interface Pasted {
  readonly status: number | null;
  readonly output: string;
  readonly errors: string;
}

/** What a shell of its own says to the paste; what it leaves running, the server, is ended. */
async function pasted(paste: string, environment: NodeJS.ProcessEnv): Promise<Pasted> {
  const shell = spawn("bash", [], { cwd: folder, env: environment, detached: true });
  const end = (): void => void process.kill(-present(shell.pid, "the shell runs"), "SIGKILL");
  const timer = setTimeout(end, pasteMsMax);
  let [output, errors] = ["", ""];
  shell.stdout.on("data", (text: Buffer) => (output += text.toString()));
  shell.stderr.on("data", (text: Buffer) => (errors += text.toString()));
  shell.stdin.end(paste);
  const [status] = (await once(shell, "exit")) as [number | null]; // An exit event carries it.
  clearTimeout(timer);
  end();
  await once(shell, "close");
  return { status, output, errors };
}

async function freePort(): Promise<number> {
  const passing = createServer().listen(0, "127.0.0.1");
  await once(passing, "listening");
  const { port } = passing.address() as AddressInfo; // It listens on a port.
  passing.close();
  return port;
}
