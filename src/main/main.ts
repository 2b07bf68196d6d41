#!/usr/bin/env node
/** The program: hands the process to the command line. */
import { createRequire } from "node:module";
import { runProgram } from "../cli/program.ts";
import { limits } from "../foundation/limits.ts";
import { localCommands } from "./commands.ts";
import { processSurroundings } from "./surroundings.ts";

const manifest: unknown = createRequire(import.meta.url)("../../../package.json");
const { version } = manifest as { readonly version: string }; // our own package.json
const surroundings = processSurroundings(version);
const exitStatus = await runProgram(process.argv.slice(2), {
  commands: localCommands(surroundings),
  surroundings,
});
process.exitCode = exitStatus;
// What a library has left open shall not keep a command that has ended.
setTimeout(() => process.exit(exitStatus), limits.exitWaitMsMax).unref();
