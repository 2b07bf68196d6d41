import assert from "node:assert/strict";
import { test } from "node:test";
import { SeededRandom, permutation } from "../../foundation/random.ts";
import { type GroupedExample, splitByGroup } from "./split.ts";

const options = { trainPerLabel: 12, testPerLabel: 6, seed: 7 };

/** 30 groups a label of 1 to 3 texts each; the group's name is the text's first word. */
function corpus(): GroupedExample[] {
  const random = new SeededRandom(3);
  return ["x", "y"].flatMap((label) =>
    Array.from({ length: 30 }, (_, group) => `${label}${group}`).flatMap((group) =>
      Array.from({ length: 1 + random.integer(3) }, (_, index) => ({
        text: `${group} text ${index}`,
        label,
        group,
      })),
    ),
  );
}

test("every label gets the counts that were asked for", () => {
  const { train, test: held } = splitByGroup(corpus(), options);
  for (const label of ["x", "y"]) {
    assert.equal(train.filter((example) => example.label === label).length, 12);
    assert.equal(held.filter((example) => example.label === label).length, 6);
  }
});

test("no group is in both train and test, even when it carries two labels", () => {
  const shared = corpus().map((example) => ({ ...example, group: example.group.slice(1) }));
  const { train, test: held } = splitByGroup(shared, options);
  const groupOf = (text: string) => text.split(" ")[0]?.slice(1);
  const trained = new Set(train.map(({ text }) => groupOf(text)));
  assert.ok(held.length > 0);
  for (const { text } of held) assert.ok(!trained.has(groupOf(text)), text);
});

test("the split depends on the seed and not on the order of the examples", () => {
  const examples = corpus();
  const order = [...permutation(examples.length, new SeededRandom(9))];
  const reordered = order.flatMap((index) => examples[index] ?? []);
  assert.deepEqual(splitByGroup(reordered, options), splitByGroup(examples, options));
  assert.notDeepEqual(
    splitByGroup(examples, { ...options, seed: 8 }),
    splitByGroup(examples, options),
  );
});

test("a text that occurs twice in a group is taken once, and scarce labels give what they have", () => {
  const twice = { text: "same", label: "x", group: "g" };
  const { train, test: held } = splitByGroup([twice, twice], options);
  assert.deepEqual([...train, ...held], [{ text: "same", label: "x" }]);
});
