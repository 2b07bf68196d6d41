/**
 * A store that was killed while it was written is damaged in every place: whatever it had
 * acknowledged is there and right, or the fault is named, and then nothing has been touched.
 */
import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { cpSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { statSync, truncateSync, writeFileSync } from "node:fs";
import { once } from "node:events";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { after, before, test } from "node:test";
import { isDeepStrictEqual } from "node:util";
import { operator } from "../src/entities/caller.ts";
import { digestOf } from "../src/foundation/digest.ts";
import { StrataError } from "../src/foundation/errors.ts";
import { SeededRandom } from "../src/foundation/random.ts";
import { exampleModel } from "../src/storage/conformance.ts";
import { openFileStore } from "../src/storage/files/file-store.ts";
import { openSqlite } from "../src/storage/files/sqlite.ts";
import type { Store } from "../src/storage/storage.ts";
import { ProgramFolder, outcomeOf } from "./exam-program.ts";

const folder = mkdtempSync(join(tmpdir(), "strata-rot-"));
const killed = join(folder, "killed");
const acknowledged: string[] = [];
const children: ChildProcess[] = [];

before(async () => {
  const writer = join(import.meta.dirname, "exam-store-writer.js");
  const child = spawn(process.execPath, [writer, killed, "0"], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  children.push(child);
  for await (const line of createInterface({ input: child.stdout })) {
    acknowledged.push(line);
    if (acknowledged.length === 40) child.kill("SIGKILL");
  }
  assert.ok(existsSync(join(killed, "catalog.sqlite-wal")), "it was not closed");
});
after(() => {
  for (const child of children) child.kill("SIGKILL");
  rmSync(folder, { recursive: true });
});

function copyOfKilled(): string {
  const copy = join(folder, "copy");
  rmSync(copy, { recursive: true, force: true });
  cpSync(killed, copy, { recursive: true });
  return copy;
}

function flip(path: string, position: number): void {
  const bytes = readFileSync(path);
  bytes[position] = (bytes[position] ?? 0) ^ 0x10;
  writeFileSync(path, bytes);
}

/** Digests of all files but those that say nothing, such as an empty log. */
function contentOf(path: string): ReadonlyMap<string, string> {
  const names = readdirSync(path, { recursive: true, encoding: "utf8" }).filter(
    (name) => !/shm$|^owner$|^incoming/.test(name) && statSync(join(path, name)).size > 0,
  );
  const files = names.filter((name) => statSync(join(path, name)).isFile());
  return new Map(files.toSorted().map((name) => [name, digestOf(readFileSync(join(path, name)))]));
}

type Outcome = "whole" | "refused" | "told";

/**
 * Opens the store and asks for everything: all of it is right, or the store is refused and left as
 * it was, or single rows and blobs are told to be CORRUPT. Nothing is absent without a word.
 */
async function open(path: string): Promise<Outcome> {
  const content = contentOf(path);
  let store: Store;
  try {
    store = await openFileStore(path, { reserveBytes: 0 });
  } catch (error) {
    assert.ok(error instanceof StrataError && error.code === "CORRUPT", String(error));
    assert.match(error.message, /damaged|missing|another one/);
    const isSame = isDeepStrictEqual(contentOf(path), content);
    assert.ok(isSame, "a refusal touches nothing");
    return "refused";
  }
  try {
    let outcome: Outcome = "whole";
    for (const id of acknowledged) {
      try {
        await check(store, id);
      } catch (error) {
        if (!(error instanceof StrataError) || error.code !== "CORRUPT") throw error;
        outcome = "told";
      }
    }
    const blobNames = [...content.keys()].filter((name) => name.startsWith("blobs/"));
    await store.keeper.sweep(0).catch((error: unknown) => {
      assert.ok(error instanceof StrataError && error.code === "CORRUPT", String(error));
    });
    const kept = new Set(readdirSync(join(path, "quarantine")).map((name) => name.slice(0, 64)));
    for (const name of blobNames)
      assert.ok(existsSync(join(path, name)) || kept.has(name.slice(-64)), `${name} is gone`);
    return outcome;
  } finally {
    await store.close();
  }
}

async function check({ catalog, blobs }: Store, id: string): Promise<void> {
  const model = await catalog.of(operator).models.get(id);
  assert.ok(model !== undefined, `"${id}" is lost without a word`);
  assert.deepEqual(model, { ...exampleModel(id), servedVersion: 1, versionCount: 1 });
  const version = await catalog.of(operator).versions.get(model.incarnation, 1);
  assert.ok(version !== undefined, `"${id}" has lost its version without a word`);
  const bytes = Buffer.from(await blobs.get(version.blob));
  assert.equal(bytes.toString("utf8", 0, id.length), id);
}

test("a flipped byte in the log of the catalog is noticed, wherever it is", async () => {
  const path = join(copyOfKilled(), "catalog.sqlite-wal");
  assert.equal(await open(copyOfKilled()), "whole");
  const { size } = statSync(join(killed, "catalog.sqlite-wal"));
  const random = new SeededRandom(1);
  const outcomes = new Map<Outcome, number>();
  for (let round = 0; round < 16; round++) {
    const copy = copyOfKilled();
    // Also in its header, and in what was written last.
    const position = round === 0 ? 20 : round < 4 ? size - round * 60 : random.integer(size);
    flip(path, position);
    const outcome = await open(copy);
    outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1);
  }
  assert.ok((outcomes.get("refused") ?? 0) > 8, JSON.stringify([...outcomes]));
});

test("a log that is cut or taken away is noticed", async () => {
  const { size } = statSync(join(killed, "catalog.sqlite-wal"));
  for (const part of [0, 0.2, 0.5, 0.9]) {
    const copy = copyOfKilled();
    truncateSync(join(copy, "catalog.sqlite-wal"), Math.floor(size * part));
    assert.equal(await open(copy), "refused", `cut to ${part}`);
  }
  const copy = copyOfKilled();
  rmSync(join(copy, "catalog.sqlite-wal"));
  assert.equal(await open(copy), "refused");
});

test("a flipped byte in any other file is noticed or harmless", async () => {
  // Closed cleanly, so that everything lies in the file itself.
  const closed = copyOfKilled();
  await (await openFileStore(closed, { reserveBytes: 0 })).close();
  rmSync(killed, { recursive: true });
  cpSync(closed, killed, { recursive: true });
  const { size } = statSync(join(killed, "catalog.sqlite"));
  const random = new SeededRandom(2);
  const outcomes = new Map<Outcome, number>();
  for (let round = 0; round < 24; round++) {
    const copy = copyOfKilled();
    flip(join(copy, "catalog.sqlite"), round === 0 ? 3 : random.integer(size));
    const outcome = await open(copy);
    outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1);
  }
  assert.ok((outcomes.get("whole") ?? 0) < 24, JSON.stringify([...outcomes]));
  for (const [name, expected] of [
    ["catalog.mark", "whole"],
    ["owner", "whole"],
    [[...contentOf(killed).keys()].find((path) => path.startsWith("blobs/")) ?? "", "told"],
  ] as const) {
    const copy = copyOfKilled();
    flip(join(copy, name), 0);
    assert.equal(await open(copy), expected, name);
  }
  const copy = copyOfKilled();
  rmSync(join(copy, "catalog.sqlite"));
  assert.equal(await open(copy), "refused");
});

test("a server does not start on a catalog that has lost changes", async () => {
  const program = await ProgramFolder.create();
  try {
    const pulled = await program.run([
      "base",
      "pull",
      "tiny",
      "--source",
      `dir:${program.path}/tiny`,
    ]);
    assert.equal(pulled.status, 0, pulled.errors);
    const server = await program.serve();
    for (const id of ["a", "b", "c"])
      await program.client.createModel({ id, base: "tiny", labels: ["x", "y"] });
    server.kill("SIGKILL");
    await once(server, "exit");
    const store = join(program.path, "home", "store");
    flip(join(store, "catalog.sqlite-wal"), statSync(join(store, "catalog.sqlite-wal")).size >> 1);
    const refused = await outcomeOf(program.start(["serve", "--port", "0"]));
    assert.equal(refused.status, 13, refused.errors);
    assert.match(
      refused.errors,
      /acknowledged changes.*"catalog\.sqlite-wal" is damaged or missing/,
    );
    assert.match(refused.errors, /put a copy back, or accept the loss by deleting "catalog\.mark"/);
    rmSync(join(store, "catalog.mark"));
    await program.serve();
    assert.equal((await program.client.model("tiny")).id, "tiny");
  } finally {
    await program.remove();
  }
});

test("a server names what has rotted, serves the rest, and lets it be deleted", async () => {
  const program = await ProgramFolder.create();
  try {
    const source = `dir:${program.path}/tiny`;
    const pulled = await program.run(["base", "pull", "tiny", "--source", source]);
    assert.equal(pulled.status, 0, pulled.errors);
    const server = await program.serve();
    const texts = ["lamp", "shade", "lamp on", "shade in"];
    const lines = texts.map((text) => JSON.stringify({ text, label: text.split(" ")[0] }));
    const file = await program.client.uploadFile(Buffer.from(lines.join("\n")), "a.jsonl");
    for (const id of ["a", "b", "c", "d"])
      await program.client.createModel({ id, base: "tiny", training_file: file.id });
    const other = [...lines, '{"text":"on","label":"lamp"}', '{"text":"in","label":"shade"}'];
    const otherFile = await program.client.uploadFile(Buffer.from(other.join("\n")), "e.jsonl");
    await program.client.createModel({ id: "e", base: "tiny", training_file: otherFile.id });
    const digest = (await program.client.versions("e"))[0]?.digest ?? "";
    server.kill("SIGTERM");
    await once(server, "exit");
    const hexadecimal = digest.slice("sha256:".length);
    const path = join(program.path, "home", "store", "blobs", hexadecimal.slice(0, 2), hexadecimal);
    flip(path, statSync(path).size - 1);
    const catalog = openSqlite(join(program.path, "home", "store", "catalog.sqlite"));
    catalog.exec(`UPDATE "models" SET "labels" = replace("labels", 'lamp', 'lamq') WHERE "id" = 'b';
      UPDATE "versions" SET "createdAt" = "createdAt" + 1 WHERE "model" =
        (SELECT "incarnation" FROM "models" WHERE "id" = 'c');
      UPDATE "files" SET "filename" = 'b.jsonl'`);
    catalog.close();
    await program.serve();
    const { client } = program;
    const labelOf = async (model: string): Promise<string | undefined> =>
      (await client.classify({ model, input: ["lamp"] })).data[0]?.label;
    await assert.rejects(labelOf("b"), { message: /models "b"/ });
    await assert.rejects(labelOf("c"), { message: /Cannot read versions/ });
    assert.ok(["lamp", "shade"].includes((await labelOf("a")) ?? ""));
    const listed: string[] = [];
    for await (const { id } of client.models()) listed.push(id);
    assert.deepEqual(listed, ["tiny", "a", "c", "d", "e"]);
    const damaged = await program.run(["show", "e"]);
    assert.match(damaged.output, /^damaged: Cannot read blob "sha256:.* its bytes have "sha256:/m);
    assert.doesNotMatch((await program.run(["show", "d"])).output, /damaged/);
    assert.match((await program.run(["list"])).output, /^e .* 1, damaged /m);
    assert.match((await program.run(["show", "c"])).output, /^damaged: Cannot read versions /m);
    await assert.rejects(client.file(file.id), { message: /Cannot read files/ });
    await client.deleteFile(file.id);
    for (const id of ["b", "c"]) {
      await client.deleteModel(id);
      await client.createModel({ id, base: "tiny", labels: ["x", "y"] });
      assert.equal((await client.model(id)).id, id);
    }
  } finally {
    await program.remove();
  }
});
