/** The programs in `examples/` run against a server with a tiny base. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { ProgramFolder } from "./exam-program.ts";

let folder: ProgramFolder;

before(async () => {
  folder = await ProgramFolder.create();
  const source = `dir:${join(folder.path, "tiny")}`;
  const pulled = await folder.run(["base", "pull", "tiny", "--source", source]);
  assert.equal(pulled.status, 0, pulled.errors);
  await folder.serve();
});

after(() => folder.remove());

test("the openai client trains, embeds and cleans up", async () => {
  const { status, output, errors } = await folder.runExample("openai-client.js");
  assert.equal(status, 0, errors);
  assert.match(output, /^succeeded: ft:tiny:strata:tickets:\w+\n/);
  assert.match(output, /embedding of 4 numbers\n$/);
});

test("the typed client creates, derives and classifies", async () => {
  const { status, output, errors } = await folder.runExample("typed-client.js");
  assert.equal(status, 0, errors);
  assert.match(output, /^mood-example (good|bad) 0\.\d\d, (good|bad) 0\.\d\d\nmood-example-2 /);
  assert.deepEqual(JSON.parse((await folder.run(["list", "files", "--json"])).output), []);
});
