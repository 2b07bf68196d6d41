/**
 * A real server is killed (SIGKILL) in the middle of everything: what it had acknowledged is there
 * after each start and answers as before, nothing is half there, and jobs come to their end.
 */
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { ProgramFolder } from "./exam-program.ts";
import { killAgainAndAgain } from "./kills/kills.ts";

/** More by hand: `KILLS=40 node dist/tools/test.js test/server-kill`. */
const killCount = Number(process.env["KILLS"] ?? 6);
const seed = Number(process.env["SEED"] ?? 1);

let folder: ProgramFolder;

before(async () => {
  folder = await ProgramFolder.create();
  const pulled = await folder.run(["base", "pull", "tiny", "--source", `dir:${folder.path}/tiny`]);
  assert.equal(pulled.status, 0, pulled.errors);
});

after(() => folder.remove());

test(`${killCount} kills lose nothing and leave nothing half there`, async (t) => {
  const report = await killAgainAndAgain({ folder, killCount, seed });
  t.diagnostic(JSON.stringify(report));
  assert.ok(report.succeeded > 0, JSON.stringify(report));
});
