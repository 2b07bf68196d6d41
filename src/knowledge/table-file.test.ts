import assert from "node:assert/strict";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { digestOf } from "../foundation/digest.ts";
import { SeededRandom } from "../foundation/random.ts";
import { SimulatedDisk } from "../storage/exam-faults.ts";
import { nodeFiles } from "../storage/files/file-operations.ts";
import { buildTable, type LookupTable } from "./lookup-table.ts";
import { highLane, lowLane, ngramsInOrder } from "./ngram-map.ts";
import { standInEncoder } from "./exam-encoder.ts";
import { readTable, writeTable } from "./table-file.ts";
import { readRow } from "./exam-rows.ts";
import { type RowPrecision } from "./table-rows.ts";

const origin = { base: digestOf("base"), parent: digestOf("parent") };

function tableOf(
  ngrams: Int32Array,
  shape: { precision: RowPrecision; hiddenSize: number },
): Promise<LookupTable> {
  return buildTable(ngrams, { shape, encoder: standInEncoder(shape.hiddenSize) });
}

const small = Int32Array.of(0, 1, 2, 1, 2, 0, 0, 2, 0);

describe("a table's file", () => {
  let folder = "";
  before(async () => {
    folder = await mkdtemp(join(tmpdir(), "strata-knowledge-"));
  });
  after(() => rm(folder, { recursive: true }));

  for (const precision of ["fp16", "int8"] as const)
    it(`gives back what was written, in ${precision}`, async () => {
      const path = join(folder, precision);
      const table = await tableOf(small, { precision, hiddenSize: 4 });
      const digest = await writeTable(path, { table, origin }, nodeFiles);
      const stored = await readTable(path);
      assert.deepEqual(stored.origin, origin);
      assert.equal(stored.digest, digest);
      assert.deepEqual(stored.table.rows, table.rows);
      assert.deepEqual(ngramsInOrder(stored.table.map), small);
      assert.ok(stored.table.rows.blocks[0]?.buffer instanceof SharedArrayBuffer);
    });

  it("has a digest that names its content and what it belongs to", async () => {
    const path = join(folder, "digests");
    const shape = { precision: "fp16", hiddenSize: 4 } as const;
    const table = await tableOf(small, shape);
    const write = (own: LookupTable, of = origin) =>
      writeTable(path, { table: own, origin: of }, nodeFiles);
    const digest = await write(table);
    assert.equal(await write(await tableOf(small, shape)), digest);
    assert.notEqual(await write(table, { ...origin, base: digestOf("other") }), digest);
    assert.notEqual(await write(await tableOf(small.subarray(3), shape)), digest);
  });

  it("is refused wherever it is changed, cut or lengthened", async () => {
    const path = join(folder, "corrupt");
    const table = await tableOf(small, { precision: "int8", hiddenSize: 2 });
    await writeTable(path, { table, origin }, nodeFiles);
    const bytes = await readFile(path);
    const refuses = async (changed: Uint8Array, what: string) => {
      await writeFile(path, changed);
      await assert.rejects(
        readTable(path),
        (error: Error & { code?: unknown }) =>
          // Another format version is no corruption.
          (error.code === "CORRUPT" || (error.code === "UNSUPPORTED" && /format/.test(what))) &&
          error.message.startsWith(`Cannot read lookup table "${path}": `),
        what,
      );
    };
    for (const [at, byte] of bytes.entries()) {
      const changed = Buffer.from(bytes);
      changed[at] = byte ^ (1 << (at % 8));
      await refuses(changed, at >= 8 && at < 12 ? "format" : `byte ${at}`);
    }
    for (let length = 0; length < bytes.length; length += 3)
      await refuses(bytes.subarray(0, length), `${length} bytes`);
    await refuses(Buffer.concat([bytes, Buffer.from([0])]), "one byte more");
  });

  it("is NOT_FOUND when there is none", async () => {
    await assert.rejects(readTable(join(folder, "none")), { code: "NOT_FOUND" });
  });

  it("is the old or the new one after a power cut at any operation", async () => {
    const [old, young] = [small.subarray(0, 3), small];
    const shape = { precision: "fp16", hiddenSize: 2 } as const;
    const tables = [await tableOf(old, shape), await tableOf(young, shape)] as const;
    const path = join(folder, "cut");
    for (let after = 0; ; after++) {
      const disk = new SimulatedDisk();
      await disk.makeFolder("/tables");
      await writeTable("/tables/a", { table: tables[0], origin }, disk);
      disk.arm({ after, kind: after % 2 === 0 ? "cut" : "fail" });
      const writing = writeTable("/tables/a", { table: tables[1], origin }, disk);
      const isWritten = await writing.then(
        () => true,
        (error: unknown) => {
          assert.match(String(error), /Cannot write lookup table "\/tables\/a": .*simulated/);
          return false;
        },
      );
      disk.restart(new SeededRandom(after));
      const bytes = disk.contentOf("/tables/a");
      assert.ok(bytes !== undefined, `operation ${after}`);
      await writeFile(path, bytes);
      const { size } = (await readTable(path)).table.map;
      assert.ok(isWritten ? size === 3 : size === 1 || size === 3, `operation ${after}`);
      if (isWritten) {
        assert.ok(after > 10, `only ${after} operations`);
        break;
      }
    }
  });

  it("holds millions of rows, on many blocks", async () => {
    const count = 2_000_000;
    const hiddenSize = 8;
    const ngrams = new Int32Array(3 * count);
    for (let row = 0; row < count; row++)
      ngrams.set([row % 1000, 1 + Math.floor(row / 1000), (3 * row) % 30_011], 3 * row);
    const table = await tableOf(ngrams, { precision: "fp16", hiddenSize });
    const path = join(folder, "large");
    await writeTable(path, { table, origin }, nodeFiles);
    const { map, rows } = (await readTable(path)).table;
    assert.equal(map.size, count);
    assert.equal(rows.rowCount, count + 1);
    const encoder = standInEncoder(hiddenSize);
    const values = new Float32Array(3 * hiddenSize);
    const random = new SeededRandom(1);
    for (let n = 0; n < 1000; n++) {
      const ngram = ngrams.subarray(3 * random.integer(count)).slice(0, 3);
      const [left = 0, middle = 0, right = 0] = ngram;
      readRow(rows, map.get(highLane(left, middle), lowLane(middle, right)), values);
      assert.deepEqual(values, await encoder(ngram));
    }
  });
});
