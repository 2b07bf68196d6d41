/**
 * The server while it is being changed: compiler and bundler watch the sources, Node the compiled
 * files. The server reads the script of its console when it starts.
 * `npm run dev -- OPTION...` hands the options to `strata serve`. Both end with this process.
 */
import { spawn } from "node:child_process";
import { resolve } from "node:path";

const root = resolve(import.meta.dirname, "../..");
const compiler = resolve(root, "node_modules/typescript/bin/tsc");
const server = resolve(root, "dist/src/main/main.js");

function main(): void {
  const commands = [
    [compiler, "-p", root, "--watch", "--preserveWatchOutput"],
    [resolve(import.meta.dirname, "console.js"), "--watch"],
    ["--watch", "--watch-preserve-output", server, "serve", ...process.argv.slice(2)],
  ];
  const children = commands.map((line) => spawn(process.execPath, line, { stdio: "inherit" }));
  const stop = (): void => {
    for (const child of children) child.kill();
  };
  for (const child of children) child.on("exit", stop);
  process.on("SIGINT", stop);
  process.on("SIGTERM", stop);
}

main();
