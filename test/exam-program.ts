/**
 * The compiled program in processes of its own, with a home, a cache and a tiny base in a temporary
 * folder.
 */
import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { connect, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { createInterface } from "node:readline";
import { text } from "node:stream/consumers";
import { fileURLToPath } from "node:url";
import { tinyCheckpoint } from "../src/checkpoints/exam-tiny-checkpoint.ts";
import { Client } from "../src/client/client.ts";
import { present } from "../src/foundation/assert.ts";
import { systemClock } from "../src/foundation/clock.ts";

export interface Outcome {
  readonly status: number | null;
  readonly output: string;
  readonly errors: string;
}

const program = compiled("src/main/main.js");
/** What hangs is ended, and then fails by its status. */
const processMsMax = 120_000;

export class ProgramFolder {
  readonly path: string;
  /** Words of a command that runs the programs, such as a tracer. */
  wrapper: readonly string[] = [];
  #environment: NodeJS.ProcessEnv;
  #server: ChildProcess | undefined;
  #client: Client | undefined;

  private constructor(path: string) {
    this.path = path;
    this.#environment = {
      PATH: process.env["PATH"],
      HOME: join(path, "user"),
      STRATA_HOME: join(path, "home"),
      STRATA_CACHE: join(path, "cache"),
      STRATA_BASE: "tiny",
      // Nothing listens there until `serve` tells its own address; the default may be somebody's.
      STRATA_URL: "http://127.0.0.1:9",
    };
  }

  /** Its folder `tiny` holds a checkpoint. */
  static async create(): Promise<ProgramFolder> {
    const folder = new ProgramFolder(await mkdtemp(join(tmpdir(), "strata-cli-")));
    for (const [name, content] of Object.entries(tinyCheckpoint()))
      await folder.write(join("tiny", name), content);
    return folder;
  }

  async write(name: string, content: string | Uint8Array): Promise<string> {
    const path = join(this.path, name);
    await mkdir(dirname(path), { recursive: true });
    await writeFile(path, content);
    return path;
  }

  /** Runs a program of this package, by default the command line. */
  start(words: readonly string[], script = program): ChildProcess {
    const limit = { timeout: processMsMax, killSignal: "SIGKILL" } as const;
    const [command = "", ...rest] = [...this.wrapper, process.execPath, script, ...words];
    return spawn(command, rest, { env: this.#environment, ...limit });
  }

  run(words: readonly string[], input = ""): Promise<Outcome> {
    return outcomeOf(this.start(words), input);
  }

  /** Runs a program of `examples/` with the address and the key of the server. */
  runExample(name: string): Promise<Outcome> {
    return outcomeOf(this.start([], compiled(`examples/${name}`)));
  }

  /** Serves on a free port from now on; commands call this server. */
  async serve(): Promise<ChildProcess> {
    const apiKey = "sk-test";
    this.#environment = { ...this.#environment, STRATA_API_KEY: apiKey };
    const words = ["serve", "--port", "0", "--json", "--precision", "fp32"];
    this.#server = this.start(words);
    const told = createInterface(present(this.#server.stdout, "piped"));
    const [line] = (await once(told, "line")) as [string]; // A line event carries its text.
    const { url } = JSON.parse(line) as { url: string }; // What serve prints.
    this.#environment = { ...this.#environment, STRATA_URL: url };
    this.#client = new Client({ baseUrl: url, apiKey });
    return this.#server;
  }

  /** Resolves when the job has told of a step. */
  async firstStep(job: string): Promise<void> {
    const told = new AbortController();
    const waiting = this.client.waitForJob(job, {
      clock: systemClock,
      signal: told.signal,
      pollMs: 20,
      onEvent: ({ data }) => {
        if (data["step"] !== undefined) told.abort();
      },
    });
    await assert.rejects(waiting, { code: "CANCELLED" });
  }

  /** A connection to the server on which nothing has been said. */
  async connect(): Promise<Socket> {
    const { hostname, port } = new URL(this.#environment["STRATA_URL"] ?? "");
    const socket = connect(Number(port), hostname);
    await once(socket, "connect");
    return socket;
  }

  /** A client of the server. */
  get client(): Client {
    return present(this.#client, "a server runs");
  }

  async remove(): Promise<void> {
    this.#server?.kill("SIGKILL");
    await rm(this.path, { recursive: true });
  }
}

export async function outcomeOf(child: ChildProcess, input = ""): Promise<Outcome> {
  child.stdin?.end(input);
  const [output, errors, exit] = await Promise.all([
    text(present(child.stdout, "piped")),
    text(present(child.stderr, "piped")),
    once(child, "exit") as Promise<[number | null]>, // An exit event carries the status first.
  ]);
  return { status: exit[0], output, errors };
}

function compiled(path: string): string {
  return fileURLToPath(new URL(`../${path}`, import.meta.url));
}
