/** Labels are counted, and examples taken back, in any order. */
import assert from "node:assert/strict";
import { Readable } from "node:stream";
import { describe, test } from "node:test";
import { readDataset } from "./exam-reading.ts";
import { Labels } from "./labels.ts";

describe("labels", () => {
  test("a label whose only example was taken back counts from anew, in every spelling", () => {
    const labels = new Labels();
    labels.add("city");
    labels.add(" city");
    labels.remove("city");
    labels.remove("city");
    assert.equal(labels.size, 0);
    assert.equal(labels.has("city"), false);

    for (const spelling of [" city", "city", "city"]) assert.equal(labels.add(spelling), "city");
    assert.deepEqual(labels.sorted(), [["city", 3]]);
    assert.deepEqual(labels.warnings(), [
      'label "city" is written in several ways, taken as one: " city" (1), "city" (2)',
    ]);
  });

  test("a label that keeps an example stays when another one is taken back", () => {
    const labels = new Labels();
    labels.add("city");
    labels.add("city");
    labels.remove("city");
    assert.deepEqual(labels.sorted(), [["city", 1]]);
    labels.add("city");
    assert.deepEqual(labels.sorted(), [["city", 2]]);
  });
});

/** Two entities that overlap, which costs the row both. */
const bad = {
  text: "New York City is big",
  entities: [
    { start: 0, end: 8, label: "city" },
    { start: 4, end: 13, label: "city" },
  ],
};
const good = { text: "in Rome", entities: [{ start: 3, end: 7, label: "city" }] };
const other = { text: "by Ann", entities: [{ start: 3, end: 6, label: "person" }] };

describe("a row that cannot be used", () => {
  test("takes its labels from no other row, wherever it stands", async () => {
    const orders = [
      [bad, good, good, other, other],
      [other, bad, good, other, good],
      [good, bad, other, good, other],
    ];
    for (const rows of orders) {
      const lines = rows.map((row) => JSON.stringify(row)).join("\n");
      const chunks = Readable.from([Buffer.from(lines)]);
      const dataset = await readDataset(chunks, { filename: "a.jsonl" });
      assert.deepEqual(dataset.labels, ["city", "person"]);
      assert.deepEqual(dataset.labelCounts, [2, 2]);
      assert.equal(dataset.shortage, undefined);
      assert.equal(dataset.faultCount, 1);
    }
  });

  test("of CSV, a quote that swallows lines, keeps the label of the rows behind it", async () => {
    const csv = 'text,label\n"a,x\nb,y\nc",x\nd,y\ne,x\nf,x\n';
    const dataset = await readDataset(Readable.from([Buffer.from(csv)]), { filename: "a.csv" });
    assert.deepEqual(dataset.labels, ["x", "y"]);
    assert.deepEqual(dataset.labelCounts, [2, 1]);
    assert.equal(dataset.faultCount, 1);
  });
});
