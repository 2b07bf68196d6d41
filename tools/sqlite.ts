/**
 * The last step of a build: on Node 20 it compiles SQLite, once. No script of a dependency runs at
 * its installation (`.npmrc`): later versions of Node need none, since their build of SQLite has
 * binaries, and ONNX Runtime's would download a gigabyte for GPUs that Strata does not use.
 */
import { spawnSync } from "node:child_process";

function main(): void {
  if (Number(process.versions["napi"]) >= 10 || isLoadable()) return;
  console.error("Node 20 has no binary of SQLite; it is compiled now, which takes a minute …");
  const words = ["rebuild", "better-sqlite3", "--ignore-scripts=false", "--foreground-scripts"];
  // An outer `npm run --silent` would keep it silent, too.
  words.push("--loglevel=notice");
  const { status, error, stdout, stderr } = spawnSync("npm", words, {
    encoding: "utf8",
    maxBuffer: outputBytesMax,
    shell: isWindows,
  });
  if (status === 0 && isLoadable()) {
    console.error("SQLite is compiled");
    return;
  }
  const told = [stdout, stderr, error?.message].join("\n").split("\n");
  const lines = told.filter((line) => line.trim() !== "");
  console.error(lines.slice(-toldLineCount).join("\n"));
  // The build is whole, and whatever opens a store says what is missing.
  console.error(advice);
}

/** What a compiler says is mostly told last. */
const toldLineCount = 40;
const outputBytesMax = 64_000_000;

const advice =
  "Cannot compile SQLite (see above): it needs a C++ compiler, Python and Node's headers, which " +
  "are downloaded from nodejs.org unless npm_config_nodedir names a folder that has them; " +
  "mend that and build again, or use Node 22 or 24";

const isWindows = process.platform === "win32";

/** Asks a process of its own, since a failed load is remembered. */
function isLoadable(): boolean {
  const code = 'new (require("better-sqlite3"))(":memory:").close()';
  return spawnSync(process.execPath, ["-e", code], { stdio: "ignore" }).status === 0;
}

main();
