/** What messages tell the reader to run are commands that exist, with flags that they take. */
import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { it } from "node:test";
import type { Command } from "commander";
import { createProgram } from "../cli/program.ts";
import { localCommands } from "./commands.ts";
import { processSurroundings } from "./surroundings.ts";

const root = join(import.meta.dirname, "../../..");
const surroundings = processSurroundings("0.0.0");
const program = createProgram({ commands: localCommands(surroundings), surroundings });

/** A command in a string or a comment: up to a quote, a bracket, a semicolon or the line's end. */
const advice = /\bstrata (?=[a-z]+\b)(?<words>(?:\$\{[^}]*\}|[^"'`;()&|#\\\n])+)/g;

/** Words that follow the program's name in prose. */
const prose = /^strata (?:serves|keeps|base list\/)/i;

function commandsIn(text: string): string[][] {
  return [...text.matchAll(advice)]
    .filter(([whole]) => !prose.test(whole))
    .map(({ groups }) => {
      const words = (groups?.["words"] ?? "").replaceAll(/\$\{[^}]*\}/g, "VALUE").trim();
      return words.replace(/[.,:]$/, "").split(/ +/);
    });
}

/** What is wrong with the command; undefined when it can be run. */
function faultOf(words: readonly string[]): string | undefined {
  let command: Command = program;
  let used = 0;
  for (const word of words) {
    const found = command.commands.find((known) => known.name() === word);
    if (found === undefined) break;
    command = found;
    used += 1;
  }
  if (command === program || command.commands.length > 0) return `no command "${words.join(" ")}"`;
  const flags = words.filter((word) => word.startsWith("--"));
  const wrong = flags.find(
    (flag) => !command.options.some(({ long }) => long === flag.split("=")[0]),
  );
  if (wrong !== undefined) return `"${command.name()}" has no ${wrong}`;
  const taken = command.registeredArguments.length;
  const given = words.slice(used).findIndex((word) => word.startsWith("--"));
  const count = given < 0 ? words.length - used : given;
  return count > taken && taken === 0 ? `"${command.name()}" takes no "${words[used]}"` : undefined;
}

it("names no command and no flag that does not exist", () => {
  const seen: string[] = [];
  const faults: string[] = [];
  const files = readdirSync(join(root, "src"), { recursive: true, encoding: "utf8" })
    .filter((path) => path.endsWith(".ts") && !path.endsWith(".test.ts"))
    .map((path) => join("src", path));
  for (const path of [...files, "README.md"])
    for (const words of commandsIn(readFileSync(join(root, path), "utf8"))) {
      seen.push(words.join(" "));
      const fault = faultOf(words);
      if (fault !== undefined) faults.push(`${path}: ${fault}`);
    }
  assert.deepEqual(faults, []);
  assert.ok(seen.length > 40, `${seen.length} commands were found`);
});

it("would find a flag and a command that do not exist", () => {
  assert.match(String(faultOf(["base", "pull", "x", "--name", "x"])), /no --name/);
  assert.match(String(faultOf(["base", "push", "x"])), /no command/);
  assert.equal(faultOf(["base", "pull", "VALUE", "--source", "dir:VALUE"]), undefined);
});
