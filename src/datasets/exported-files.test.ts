/** Exports that look like files of another kind: read as they are meant, refused, or told. */
import assert from "node:assert/strict";
import { Readable } from "node:stream";
import { describe, test } from "node:test";
import type { Dataset } from "./datasets.ts";
import { labelledOf, markedOf, readDataset } from "./exam-reading.ts";

function readFile(content: string, filename: string): Promise<Dataset> {
  return readDataset(Readable.from([Buffer.from(content)]), { filename, field: "file" });
}

function readRows(...rows: readonly unknown[]): Promise<Dataset> {
  return readFile(rows.map((row) => JSON.stringify(row)).join("\n"), "a.jsonl");
}

/** A CSV file of two columns. */
function readCells(...labels: readonly string[]): Promise<Dataset> {
  const records = labels.map((label, at) => `Rome rocks ${at},"${label.replaceAll('"', '""')}"`);
  return readFile(["text,label", ...records].join("\n"), "a.csv");
}

describe("cells that are JSON", () => {
  const city = { start: 0, end: 4, text: "Rome", labels: ["city"] };
  const entities = [{ start: 0, end: 4, label: "city" }];

  test("mark entities where they are lists of places", async () => {
    const cells = [[city], [[0, 4, "city"]], []].map((cell) => JSON.stringify(cell));
    const dataset = await readCells(...cells);
    assert.deepEqual(dataset.faults, []);
    assert.deepEqual(
      markedOf(dataset).map(({ entities: found }) => found),
      [entities, entities, []],
    );
  });

  test("and are told where they are anything else", async () => {
    const lists = ['{"choices":["a","b"]}', '["a"]', "['a']", "[1, 2]"];
    const dataset = await readCells("plain", ...lists, "[sic]", "{}x");
    assert.deepEqual(
      labelledOf(dataset).map(({ label }) => label),
      ["plain", ...lists, "[sic]", "{}x"],
    );
    assert.match(
      dataset.warnings[0] ?? "",
      /^4 labels are texts of a list or an object \(lines 3, 4, 5, 6\), .*: .*export .* as JSON$/,
    );
    const texts = await readRows({ text: "a", label: JSON.stringify([city]) });
    assert.match(texts.warnings[0] ?? "", /^1 label is the text of a list or an object \(line 1\)/);
  });
});
