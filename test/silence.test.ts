/**
 * A server tells nobody anything: while it starts, loads a base, trains, answers and stops, it
 * connects to no other machine, asks no name server, and leaves nothing in the user's folder.
 */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import { ProgramFolder } from "./exam-program.ts";

test("a server reaches for nothing and leaves nothing behind", async (context) => {
  if (!canTrace(context)) return;
  const folder = await ProgramFolder.create();
  try {
    const pulled = await folder.run([
      "base",
      "pull",
      "tiny",
      "--source",
      `dir:${folder.path}/tiny`,
    ]);
    assert.equal(pulled.status, 0, pulled.errors);
    const trace = join(folder.path, "trace");
    // The queue of events is sent at intervals, and when the process ends.
    folder.wrapper = ["strace", "-f", "-qq", "-e", "trace=network", "-o", trace];
    const server = await folder.serve();
    folder.wrapper = [];
    await useServer(folder);
    await stopTraced(server.pid);
    await once(server, "exit");
    assert.deepEqual(foreignCalls(await readFile(trace, "utf8")), []);
    assert.equal(existsSync(join(folder.path, "user")), false, "nothing is in the user's folder");
  } finally {
    await folder.remove();
  }
});

function canTrace(context: TestContext): boolean {
  const { status } = spawnSync("strace", ["-qq", "-e", "trace=none", process.execPath, "-v"]);
  if (status === 0) return true;
  context.skip("strace cannot trace here; install it to watch what the server sends");
  return false;
}

async function useServer({ client }: ProgramFolder): Promise<void> {
  const lines = ["lamp", "shade"].flatMap((text) =>
    Array.from({ length: 10 }, (_, index) =>
      JSON.stringify({ text: `${text} ${index}`, label: text }),
    ),
  );
  const file = await client.uploadFile(new Blob([lines.join("\n")]), "lamps.jsonl");
  await client.createModel({ id: "lamps", base: "tiny", training_file: file.id });
  const answer = await client.classify({ model: "lamps", input: ["lamp"] });
  assert.equal(answer.data.length, 1);
}

/** Stops the server, which is a child of the tracer. */
async function stopTraced(tracer: number | undefined): Promise<void> {
  const children = await readFile(`/proc/${tracer}/task/${tracer}/children`, "utf8");
  const [server] = children.trim().split(" ").map(Number);
  assert.ok(server !== undefined && server > 0);
  process.kill(server, "SIGTERM");
}

/** The calls that name another machine's address or a name server; the loopback's are its own. */
function foreignCalls(trace: string): string[] {
  return trace
    .split("\n")
    .filter((line) => /\b(connect|sendto|sendmsg|sendmmsg)\(.*sin6?_port=/.test(line))
    .filter(
      (line) => /htons\(53\)/.test(line) || !/inet_addr\("127\.|"::1"|"::ffff:127\./.test(line),
    );
}
