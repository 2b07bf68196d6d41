/** Commands that run in this process: serve, demo, doctor. */
import type { Command } from "commander";
import { InvalidArgumentError, Option } from "commander";
import { StrataError } from "../foundation/errors.ts";
import { addKeyOptions, givenKey, type KeyOptions, loadOrCreateApiKey } from "./api-key.ts";
import { addBase } from "./base.ts";
import type { CommandContext, SharedOptions } from "./command-context.ts";
import { defaultPort, integerBetween, outputOf, shared } from "./command-context.ts";
import type { Finding, UnfinishedJobs } from "./local-commands.ts";
import type { Output, Paint } from "./output.ts";

const workerCountMax = 256;

/** Commands to set a server up. */
export function addServerCommands(program: Command, context: CommandContext): void {
  addServe(program, context);
  addBase(program, context);
}

/** Commands that try the whole out. */
export function addTrialCommands(program: Command, context: CommandContext): void {
  addDemo(program, context);
  addDoctor(program, context);
}

interface ServeFlags extends SharedOptions, KeyOptions {
  readonly port: number;
  readonly host: string;
  readonly precision: "int8" | "fp32";
  readonly workers?: number;
  readonly corsOrigin: readonly string[];
  readonly allowHost: readonly string[];
}

function addServe(program: Command, context: CommandContext): void {
  const precision = new Option("--precision <name>", "arithmetic of the frozen layers");
  const command = program
    .command("serve")
    .description("Serve models over HTTP until Ctrl-C.")
    .option("--port <number>", "0 takes a free one", integerBetween(0, 65_535), defaultPort)
    .option("--host <address>", "address to listen on", "127.0.0.1")
    .addOption(precision.choices(["int8", "fp32"]).default("int8"))
    .option(
      "--workers <count>",
      "worker threads of the engine (default: one a core)",
      integerBetween(1, workerCountMax),
    )
    .option("--cors-origin <origin>", "whose pages may call; may be given again", origins, [])
    .option("--allow-host <name>", "another name for the loopback; may be given again", names, [])
    .action(async (flags: ServeFlags) => serve(flags, context));
  addKeyOptions(command, "one that is drawn once and kept in the home folder");
  shared(command, context, ["strata serve", "strata serve --port 0 --precision fp32 --json"]);
}

function names(name: string, before: readonly string[]): readonly string[] {
  return [...before, name];
}

function origins(text: string, before: readonly string[]): readonly string[] {
  const origin = URL.canParse(text) ? new URL(text).origin : undefined;
  if (origin === text) return [...before, text];
  throw new InvalidArgumentError("expected scheme, host and port, such as https://example.org.");
}

async function serve(flags: ServeFlags, context: CommandContext): Promise<void> {
  const { commands, surroundings } = context;
  const output = outputOf(context, flags);
  const given = await givenKey(flags, surroundings, output);
  const { home, host, port, precision } = flags;
  const apiKey = given ?? (await loadOrCreateApiKey(home, surroundings.ids));
  const callers = { corsOrigins: flags.corsOrigin, hostNames: flags.allowHost };
  const place = { home, host, port, ...callers };
  const told = {
    onOpening: (base: string) => output.note(`Opening ${base} …`),
    onStopping: (unfinished: UnfinishedJobs) => noteUnfinished(output, unfinished),
  };
  const options = { ...place, ...told, precision, apiKey, signal: surroundings.signal };
  await commands.serve({ ...options, workerCount: flags.workers }, ({ url }) => {
    void output.result({ url, home }, () => {
      output.line(`Strata serves at ${url}`);
      output.line(`API key: ${given !== undefined ? "as given" : `in ${home}/api-key`}`);
      output.line("Stop it with Ctrl-C.");
    });
  });
}

function noteUnfinished(output: Output, { runningCount, queuedCount }: UnfinishedJobs): void {
  const count = runningCount + queuedCount;
  if (count === 0) return;
  const jobs = `${runningCount} running and ${queuedCount} queued ${count === 1 ? "job" : "jobs"}`;
  output.note(`${jobs} will begin again at the next start.`);
}

function addDemo(program: Command, context: CommandContext): void {
  const command = program
    .command("demo")
    .description("See it all: get a base, train three models on real data, serve 1,000 more.")
    .option("--once", "end after the report instead of leaving the server up")
    .action(async (flags: SharedOptions & { once?: boolean }) => {
      const options = { home: flags.home, signal: context.surroundings.signal };
      const output = outputOf(context, flags);
      await context.commands.demo({ ...options, isOnce: flags.once === true }, output);
    });
  shared(command, context, ["strata demo", "strata demo --once --json"]);
}

function addDoctor(program: Command, context: CommandContext): void {
  const command = program
    .command("doctor")
    .description("Check this machine and installation, and say what to do.")
    .action(async (flags: SharedOptions) => {
      const output = outputOf(context, flags);
      const { signal } = context.surroundings;
      const findings = await context.commands.doctor({ home: flags.home, signal });
      await output.result(findings, () => printFindings(output, findings));
      const failed = findings.filter(({ status }) => status === "fail");
      if (failed.length === 0) return;
      const names = failed.map(({ check }) => check).join(", ");
      throw new StrataError("UNSUPPORTED", `Cannot run Strata here: failed checks: ${names}`);
    });
  shared(command, context, ["strata doctor", "strata doctor --json"]);
}

const statusPaint: Readonly<Record<Finding["status"], Paint>> = {
  ok: "green",
  warn: "yellow",
  fail: "red",
};

async function printFindings(output: Output, findings: readonly Finding[]): Promise<void> {
  const paint = await output.painter();
  for (const { check, status, message, cure } of findings) {
    output.line(`${paint(statusPaint[status], status.padEnd(4))}  ${check}: ${message}`);
    if (cure !== undefined && status !== "ok") output.line(`      ${cure}`);
  }
}
