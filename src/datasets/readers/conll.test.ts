/** Reads columns as files have them; bad lines are told, and cost their sentence alone. */
import assert from "node:assert/strict";
import { Readable } from "node:stream";
import { test } from "node:test";
import fc from "fast-check";
import { limits } from "../../foundation/limits.ts";
import type { Dataset } from "../datasets.ts";
import { markedOf, readDataset, readTexts } from "../exam-reading.ts";

function readBytes(bytes: Uint8Array, filename = "a.conll"): Promise<Dataset> {
  return readDataset(Readable.from([bytes]), { filename });
}
const read = (text: string, filename?: string): Promise<Dataset> =>
  readBytes(Buffer.from(text), filename);

/** Each text with its entities in brackets. */
function shown(dataset: Dataset): readonly string[] {
  return markedOf(dataset).map(({ text, entities }) => {
    const characters = Array.from(text);
    const parts = entities.map(
      ({ start, end, label }) => `[${label}: ${characters.slice(start, end).join("")}]`,
    );
    return [text, ...parts].join(" ");
  });
}

test("tabs or spaces, the first column and the last, sentences and documents apart", async () => {
  const dataset = await read(
    "\uFEFF-DOCSTART- (10091617)\n\nNew\tNNP\tO\tB-Place\r\nYork NNP O I-Place\n \n" +
      "\n-DOCSTART- -X- O O\nno-break\u00A0word\tO\nin  O\n-DOCSTART-\nParis\tI-Place",
  );
  assert.deepEqual(shown(dataset), [
    "New York [Place: New York]",
    "no-break\u00A0word in",
    "Paris [Place: Paris]",
  ]);
  assert.deepEqual([dataset.labels, dataset.labelCounts], [["Place"], [2]]);
  assert.deepEqual([dataset.faultCount, dataset.warnings], [0, []]);
});

test("the content tells columns where the name does not", async () => {
  const content = "EU NNP B-NP B-ORG\nrejects VBZ B-VP O\n\nPeter B-PER\n";
  for (const name of ["a.txt", "a", "a.iob2", "a.bio.gz"])
    assert.deepEqual(shown(await read(content, name)), [
      "EU rejects [ORG: EU]",
      "Peter [PER: Peter]",
    ]);
  const [warning] = (await read("a O\n\nb B-X\nc B-X", "a.csv")).warnings;
  assert.match(warning ?? "", /ends in \.csv, the content is CONLL/);
});

test("every bad line is told by number and reason; only its sentence is left out", async () => {
  const dataset = await read(
    "good O\n\none\nnot seen\nfine O\n\n\tNN\tO\n\nword B-\n\nword\t\n\nnul\0 O\n\nlast O\n",
  );
  assert.deepEqual(shown(dataset), ["good", "last"]);
  const lines = dataset.faults.map(({ line, reason }) => `${line}: ${reason}`);
  assert.deepEqual(lines, [
    "3: expected a word and a tag, got one column; the line's sentence is left out",
    "7: word is empty; the line's sentence is left out",
    '9: tag 1 is "B-", which names no label',
    '11: tag 1 is empty; a token outside of all entities has "O"',
    "13: text holds a NUL or a lone surrogate",
  ]);
  assert.equal(dataset.faultCount, 5);
});

test("what is too long is told; bytes that are no text are an error", async () => {
  const { inputCharactersMax: max } = limits;
  const line = await read(`a O\n\n${"x".repeat(max)} O`);
  assert.deepEqual(line.faults, [{ line: 3, reason: `line is longer than ${max} characters` }]);
  const word = "x".repeat(max / 2);
  const sentence = await read(`a O\n\n${word} O\n${word} O\n${word} O\n\nb B-X\n`);
  assert.deepEqual(shown(sentence), ["a", "b [X: b]"]);
  assert.deepEqual(sentence.faults, [
    { line: 4, reason: `its sentence, from line 3, has more than ${max} characters` },
  ]);
  const { trainingRowValueCountMax: countMax } = limits;
  const long = await read(`a O\n\n${"a O\n".repeat(countMax + 9)}\nb B-X\n`);
  assert.deepEqual(shown(long), ["a", "b [X: b]"]);
  assert.deepEqual(long.faults, [
    {
      line: countMax + 3,
      reason: `its sentence, from line 3, has more words than the limit of ${countMax}`,
    },
  ]);
  const longest = await read(`${"a O\n".repeat(countMax - 1)}b B-X\n`);
  assert.equal(longest.faultCount, 0);
  await assert.rejects(readBytes(Buffer.from("a O\n\nb\xff O\n", "latin1")), /line 3, column 2/);
});

test("comments before a sentence are skipped and told, words with # are not", async () => {
  const dataset = await read(
    "# newdoc\n# id = 1\n#\tO\nAnn\tB-PER\n\n# text = of type O\n#\tB-X\n#tag\tO\n\n" +
      "# id 12f\tdomain=train\nBob\tB-PER\n# x\tO\n",
  );
  assert.deepEqual(shown(dataset), ["# Ann [PER: Ann]", "# #tag [X: #]", "Bob # x [PER: Bob]"]);
  const remark = 'a line that begins with "#" before a sentence is skipped as a comment';
  assert.deepEqual(dataset.warnings, [`line 1 and 3 more: ${remark}`]);
  const coner = "# id 12f\tdomain=train\nAnn _ _ B-PER\nsaw _ _ O\n";
  for (const name of ["a.conll", "a.txt"])
    assert.deepEqual(shown(await read(coner, name)), ["Ann saw [PER: Ann]"]);
});

test("CoNLL-U is refused in words of its own", async () => {
  const content = "# sent_id = 1\n1\tAnn\tAnn\tPROPN\t_\t_\t0\troot\t_\t_\n";
  for (const name of ["a.conllu", "a.conll", "a.txt"])
    await assert.rejects(read(content, name), /it is CoNLL-U, whose ten columns hold no entities/);
});

test("tags that may not be meant are told", async () => {
  const warningsOf = async (text: string): Promise<readonly string[]> =>
    (await read(text)).warnings;
  assert.deepEqual(await warningsOf("Ann B-PER\nin O\nRome LOC\n"), [
    '1 tags have a prefix, such as "B-", and 1 are bare types',
  ]);
  assert.deepEqual(await warningsOf("Ann B-PER\nBob B-PER\n"), [
    'no word has the tag "O", which says that it is outside of all entities',
  ]);
  assert.deepEqual(await warningsOf("Ann PER\nin o\nit O\n"), [
    'the tag "o" is taken for a label: words outside of all entities have "O"',
  ]);
  const [first, second, ...rest] = await warningsOf("1\tAnn\tB-PER\t_\n2\tsaw\tO\t_\n");
  assert.match(first ?? "", /^line 1 and 1 more: a tag stands before the last column/);
  assert.match(second ?? "", /^line 1: the first column counts the words/);
  assert.equal(rest.length, 2);
});

test("words are answered without their tags; lines of plain text stay lines", async () => {
  const texts = async (content: string, filename: string): Promise<readonly string[]> =>
    (await readTexts(Readable.from([Buffer.from(content)]), { filename })).texts;
  assert.deepEqual(await texts("New B-Place\nYork I-Place\n\nin O\n", "a.conll"), [
    "New York",
    "in",
  ]);
  assert.deepEqual(await texts("the blood type is O\nso be it", "a.txt"), [
    "the blood type is O",
    "so be it",
  ]);
});

test("what was written is read again", async () => {
  const word = fc.stringMatching(/^[a-zA-Z0-9.]+$/);
  const pair = fc.tuple(word, fc.constantFrom("O", "B-X", "B-Y"));
  const sentences = fc.array(fc.array(pair, { minLength: 1 }), { minLength: 1 });
  await fc.assert(
    fc.asyncProperty(sentences, async (all) => {
      const text = all.map((pairs) => pairs.map((row) => row.join("\t")).join("\n")).join("\n\n");
      const wanted = all.map((pairs) => {
        const words = pairs.map(([name]) => name).join(" ");
        const tagged = pairs.filter(([, tag]) => tag !== "O");
        return [words, ...tagged.map(([name, tag]) => `[${tag.slice(2)}: ${name}]`)].join(" ");
      });
      assert.deepEqual(shown(await read(text)), wanted);
    }),
  );
});
