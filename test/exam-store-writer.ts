/**
 * The process that `store-kill.test.ts` kills: writes models until then, printing each id. With a
 * third word it also deletes every fourth one, and lists by the catalog's other connection what is
 * there, printing `deleted ID` and `seen ID`.
 */
import { writeSync } from "node:fs";
import { argv } from "node:process";
import { operator } from "../src/entities/caller.ts";
import { exampleModel, exampleVersion } from "../src/storage/conformance.ts";
import { openFileStore } from "../src/storage/files/file-store.ts";

const [folder = "", round = "", more] = argv.slice(2);
const store = await openFileStore(folder);

/** One of several writers at once; a third of the models come by the batch method. */
async function write(writer: number): Promise<void> {
  for (let index = 0; ; index++) {
    const id = `${round}-${writer}-${index}`;
    const bytes = Buffer.alloc(2_000 + 137 * index, id);
    const blob = await store.blobs.put(bytes);
    const version = { ...exampleVersion(id, 1), blob, blobBytes: bytes.length };
    if (index % 3 === 0)
      await store.catalog
        .of(operator)
        .versions.insertWithModels([{ model: exampleModel(id), version }]);
    else {
      await store.catalog.of(operator).models.insert(exampleModel(id));
      await store.catalog.of(operator).versions.insert(version, { isServed: true });
    }
    writeSync(1, `${id}\n`);
    if (more === undefined || index % 4 !== 3) continue;
    writeSync(1, `deleting ${id}\n`);
    await store.catalog.of(operator).models.delete(id);
    writeSync(1, `deleted ${id}\n`);
  }
}

async function list(): Promise<void> {
  const { models } = store.catalog.of(operator);
  const seen = new Set<string>();
  for (;;) {
    for (const { id } of await models.list({ limit: 50, descending: true })) {
      if (!seen.has(id)) writeSync(1, `seen ${id}\n`);
      seen.add(id);
    }
    await new Promise(setImmediate);
  }
}

await Promise.all([...[0, 1, 2, 3].map(write), ...(more === undefined ? [] : [list()])]);
