/** Checks which version wins, and what is said of it. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { SeededRandom } from "../foundation/random.ts";
import { textClassification } from "../tasks/text-classification.ts";
import { tokenClassification } from "../tasks/token-classification.ts";
import { compare, type ComparedRow, findingOf, isToBeServed, verdictOf } from "./verdict.ts";

/** A text whose labels both versions were taught, the same by both data. */
const plain = { isDisputed: false, isUntaught: false, isFamiliar: false };
const right = { right: 1, count: 1, saidCount: 1 };
const wrong = { right: 0, count: 1, saidCount: 1 };

/** Rows that only the new version, only the served one, both and none have right. */
function rowsOf(...counts: readonly number[]): ComparedRow[] {
  const [newOnly = 0, servedOnly = 0, both = 0, none = 0] = counts;
  return [
    ...Array.from({ length: newOnly }, () => ({ ...plain, served: wrong, newer: right })),
    ...Array.from({ length: servedOnly }, () => ({
      ...plain,
      served: right,
      newer: wrong,
    })),
    ...Array.from({ length: both }, () => ({ ...plain, served: right, newer: right })),
    ...Array.from({ length: none }, () => ({ ...plain, served: wrong, newer: wrong })),
  ];
}

const isServed = (rows: readonly ComparedRow[]): boolean => isToBeServed(findingOf(compare(rows)));

const told = (rows: readonly ComparedRow[], served: number): string =>
  verdictOf(compare(rows), { served, words: textClassification.score });

describe("which version is served", () => {
  // The sign test: 5 of 5 has the probability 1/32, below 5 %; 4 of 4 has 1/16.
  const cases = [
    ["better", rowsOf(5, 0, 0)],
    ["few", rowsOf(4, 0, 0)],
    ["worse", rowsOf(0, 5, 30)],
    ["few", rowsOf(0, 4, 30)],
    // 10 or more of 12 has (66 + 12 + 1) / 4096 = 1.9 %; 9 or more has 7.3 %.
    ["better", rowsOf(10, 2, 300)],
    ["alike", rowsOf(9, 3, 300)],
    ["few", rowsOf(9, 3, 187)],
    ["alike", rowsOf(9, 3, 188)],
    ["few", []],
    ["alike", rowsOf(0, 0, 200)],
  ] as const;
  for (const [finding, rows] of cases)
    it(`finds "${finding}" in ${told(rows, 1)}`, () => {
      assert.equal(findingOf(compare(rows)), finding);
    });

  it("lets texts that stand under another label than before decide nothing", () => {
    const relabelled = { ...plain, isDisputed: true, served: right, newer: wrong };
    const disputed = Array.from({ length: 6 }, () => relabelled);
    const rows = [...rowsOf(3, 4, 5, 4), ...disputed];
    const comparison = compare(rows);
    assert.equal(comparison.count, 16);
    assert.equal(comparison.disputedCount, 6);
    assert.equal(comparison.servedScore, 9 / 16);
    assert.equal(comparison.difference.mean, -1 / 16);
    assert.match(told(rows, 3), /50\.0 % right against 56\.3 %.*; 6 more, which stand/);
    // Two hundred contradictions prove no progress; a few leave the newer data their turn.
    assert.equal(findingOf(compare(Array.from({ length: 200 }, () => relabelled))), "alike");
    assert.equal(findingOf(compare(disputed)), "few");
  });

  it("says why, with version, count and interval", () => {
    assert.equal(
      told(rowsOf(0, 5, 30, 5), 2),
      "Not served: worse than version 2 on 40 texts that neither was trained on: 75.0 % right " +
        "against 87.5 %, difference -12.5 points, -12.5 to -1.2 at 90 %",
    );
    assert.match(
      told([], 2),
      /^Served: the newer answers, since no text is known that neither it nor version 2 was/,
    );
  });
});

describe("which version is served, by entities", () => {
  /** A text of ten entities of which so many are found, in their places, and no others. */
  const found = (count: number) => {
    const spans = (of: number): Int32Array =>
      Int32Array.from(Array.from({ length: of }, (_, at) => [2 * at, 2 * at + 1, 0]).flat());
    return tokenClassification.judged(spans(10), spans(count));
  };
  const rowsFound = (length: number, served: number, newer: number): readonly ComparedRow[] =>
    Array.from({ length }, () => ({
      ...plain,
      served: found(served),
      newer: found(newer),
    }));
  const words = tokenClassification.score;

  it("serves what makes fewer errors, though no text is ever exactly right", () => {
    const rows = [
      ...rowsFound(60, 6, 8),
      ...rowsFound(20, 8, 6),
      ...rowsFound(160, 6, 6),
      ...rowsFound(3, 6, 8).map((row) => ({ ...row, isDisputed: true })),
    ];
    const comparison = compare(rows);
    assert.equal(findingOf(comparison), "better");
    // 2 · 1560 of 2400 + 1560 against 2 · 1480 of 2400 + 1480.
    assert.equal(comparison.newerScore, 3120 / 3960);
    assert.equal(comparison.servedScore, 2960 / 3880);
    assert.equal(
      verdictOf(comparison, { served: 1, words }),
      "Served: better than version 1 on 240 texts that neither was trained on: F1 78.8 % against " +
        "76.3 %, fewer errors in 60 of them, more in 20; 3 more, which have other entities than " +
        "before, decide nothing",
    );
  });

  it("does not serve what makes more errors in most texts", () => {
    const comparison = compare([...rowsFound(20, 6, 8), ...rowsFound(60, 8, 6)]);
    assert.equal(findingOf(comparison), "worse");
    assert.match(verdictOf(comparison, { served: 4, words }), /^Not served: worse than version 4/);
  });
});

describe("a version that has forgotten", () => {
  const untaught = (length: number, row: Pick<ComparedRow, "served" | "newer">) =>
    Array.from({ length }, () => ({ ...plain, isUntaught: true, ...row }));
  const lost = { served: right, newer: wrong };
  const kept = { served: right, newer: right };

  it("replaces none that knows labels which its data lack, whatever it has learned", () => {
    for (const newOnly of [0, 3, 500]) {
      const rows = [...rowsOf(newOnly), ...untaught(5, lost)];
      assert.equal(findingOf(compare(rows)), "forgetful");
    }
    assert.equal(
      told([...rowsOf(46), ...untaught(47, lost), ...untaught(1, kept)], 2),
      "Not served: it has forgotten labels that its data lack: accuracy 2.1 % against 100.0 % of " +
        "version 2 on 48 held-out texts with these; training begins anew, so that a file has to " +
        "hold enough of all that is to be known",
    );
  });

  it("is one that has lost more than half of what the other knew", () => {
    assert.equal(
      findingOf(compare([...rowsOf(9), ...untaught(6, lost), ...untaught(6, kept)])),
      "few",
    );
    const most = [...rowsOf(9), ...untaught(6, lost), ...untaught(5, kept)];
    assert.equal(findingOf(compare(most)), "forgetful");
  });

  it("is one whose data hold a few texts of what the other knows, too few to learn them", () => {
    const familiar = Array.from({ length: 48 }, () => ({ ...plain, isFamiliar: true, ...lost }));
    assert.equal(
      told([...rowsOf(46), ...familiar], 2),
      "Not served: it has forgotten labels that version 2 has: accuracy 0.0 % against 100.0 % of " +
        "version 2 on 48 held-out texts with these; training begins anew, so that a file has to " +
        "hold enough of all that is to be known",
    );
  });

  it("is told from chance: a text of a label that was given up decides nothing alone", () => {
    for (const length of [1, 4])
      assert.equal(findingOf(compare([...rowsOf(300), ...untaught(length, lost)])), "better");
  });

  it("is none where the other did not know them either", () => {
    const rows = [...rowsOf(5), ...untaught(4, { served: wrong, newer: wrong })];
    assert.equal(findingOf(compare(rows)), "better");
  });
});

describe("a version that finds nothing", () => {
  const words = tokenClassification.score;
  /** Judgements of a text of so many entities, of which some are found beside some made up. */
  const judged = (of: number, found: number, made: number) => {
    const span = (at: number): readonly number[] => [at, at + 1, 0];
    const spans = (from: number, length: number): readonly number[] =>
      Array.from({ length }, (_, index) => span(from + index)).flat();
    return tokenClassification.judged(
      Int32Array.from(spans(0, of)),
      Int32Array.from([...spans(0, found), ...spans(of, made)]),
    );
  };
  const rowsOfTexts = (length: number, of: number, served: readonly [number, number]) =>
    Array.from({ length }, () => ({
      ...plain,
      served: judged(of, ...served),
      newer: judged(of, 0, 0),
    }));

  it("does not replace one that finds some, though it makes fewer errors", () => {
    // Of 2 entities one is found and three are made up: 4 errors against 2, and F1 2 of 6.
    for (const length of [3, 30, 300]) {
      const comparison = compare(rowsOfTexts(length, 2, [1, 3]));
      assert.equal(comparison.fewerCount, length);
      assert.equal(findingOf(comparison), "silent");
    }
    const told = verdictOf(compare(rowsOfTexts(30, 2, [1, 3])), { served: 2, words });
    assert.equal(
      told,
      "Not served: it finds nothing, unlike version 2, on 30 texts that neither was trained on: " +
        "F1 0.0 % against 33.3 %, fewer errors in 30 of them, more in 0",
    );
  });

  it("replaces one whose finds are all wrong only if that shows", () => {
    assert.equal(findingOf(compare(rowsOfTexts(4, 1, [0, 1]))), "silent");
    assert.equal(findingOf(compare(rowsOfTexts(5, 1, [0, 1]))), "better");
  });

  it("is like any other where there is nothing to find, or the served one finds nothing", () => {
    assert.equal(findingOf(compare(rowsOfTexts(30, 0, [0, 1]))), "better");
    assert.equal(findingOf(compare(rowsOfTexts(3, 0, [0, 1]))), "few");
    assert.equal(findingOf(compare(rowsOfTexts(3, 2, [0, 0]))), "few");
  });
});

describe("the rule, over many comparisons", () => {
  const runCount = 2_000;

  /** Share of comparisons after which the new version is served, and the served one's figure. */
  function play(count: number, rates: { newOnly: number; servedOnly: number; both: number }) {
    const random = new SeededRandom(count);
    let [servedCount, figure] = [0, 0];
    for (let run = 0; run < runCount; run++) {
      const numbers = [0, 0, 0, 0];
      for (let index = 0; index < count; index++) {
        const u = random.uniform();
        const steps = [
          rates.newOnly,
          rates.newOnly + rates.servedOnly,
          rates.newOnly + rates.servedOnly + rates.both,
        ];
        const kind = steps.findIndex((step) => u < step);
        const at = kind === -1 ? 3 : kind;
        numbers[at] = (numbers[at] ?? 0) + 1;
      }
      const [newOnly = 0, servedOnly = 0, both = 0, none = 0] = numbers;
      const takes = isServed(rowsOf(newOnly, servedOnly, both, none));
      if (takes) servedCount += 1;
      figure += (both + (takes ? newOnly : servedOnly)) / count / runCount;
    }
    return { served: servedCount / runCount, figure };
  }

  it("hardly flatters the winner where both guess", () => {
    for (const count of [15, 30, 60, 300]) {
      const { figure } = play(count, { newOnly: 0.25, servedOnly: 0.25, both: 0.25 });
      assert.ok(Math.abs(figure - 0.5) < 0.015, `${count}: ${figure}`);
    }
  });

  it("serves what is 10 points better nine times in ten, with few texts and with many", () => {
    for (const count of [20, 60, 150, 250, 400]) {
      const { served } = play(count, { newOnly: 0.15, servedOnly: 0.05, both: 0.6 });
      assert.ok(served > 0.9, `${count}: ${served}`);
    }
  });

  it("does not serve what has lost half of its answers, from some thirty texts on", () => {
    for (const count of [30, 60, 300]) {
      const { served } = play(count, { newOnly: 0.05, servedOnly: 0.5, both: 0.3 });
      assert.ok(served < 0.05, `${count}: ${served}`);
    }
  });
});
