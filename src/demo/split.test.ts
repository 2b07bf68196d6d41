import assert from "node:assert/strict";
import { test } from "node:test";
import { SeededRandom, permutation } from "../foundation/random.ts";
import { type GroupedExample, splitByGroup } from "./split.ts";

const options = { sizes: { train: 12, dev: 4, test: 6 }, seed: 7 };

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
  const split = splitByGroup(corpus(), options);
  for (const label of ["x", "y"])
    for (const part of ["train", "dev", "test"] as const) {
      const count = split[part].filter((example) => example.label === label).length;
      assert.equal(count, options.sizes[part], `${label} ${part}`);
    }
});

test("no group is in two parts, even when it carries two labels", () => {
  const shared = corpus().map((example) => ({ ...example, group: example.group.slice(1) }));
  const split = splitByGroup(shared, options);
  const placed = new Map<string, string>();
  for (const part of ["train", "dev", "test"] as const) {
    assert.ok(split[part].length > 0);
    for (const { text } of split[part]) {
      const group = text.split(" ")[0]?.slice(1) ?? "";
      assert.equal(placed.get(group) ?? part, part, text);
      placed.set(group, part);
    }
  }
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

test("a text that occurs twice in a group is taken once; scarce labels give what they have", () => {
  const twice = { text: "same", label: "x", group: "g" };
  const { train, dev, test: held } = splitByGroup([twice, twice], options);
  assert.deepEqual([...train, ...dev, ...held], [{ text: "same", label: "x" }]);
});
