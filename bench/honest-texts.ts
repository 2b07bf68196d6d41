/** Files for the claim `honest`: labels that are coin flips, and ways to write a file anew. */
import { type Random, SeededRandom } from "../src/foundation/random.ts";
import { smallWords } from "../src/checkpoints/exam-small-checkpoint.ts";

export interface Row {
  readonly text: string;
  readonly label: string;
}

const things = (
  "river stove ladder candle market pilot harbour blanket mirror orchard signal barrel " +
  "violin tunnel basket meadow engine pepper window saddle"
).split(" ");
const traits = (
  "quiet narrow golden broken distant heavy bitter empty polished wooden sudden pale warm " +
  "crooked hollow bright"
).split(" ");

function pick<T>(values: readonly T[], random: Random): T {
  return values[random.integer(values.length)] as T; // the index is in range
}

/** Bases that know words of their own. */
export type Vocabulary = "english" | "small";

/** Distinct texts; what they say has nothing to do with their labels. */
export function coinFlips(count: number, vocabulary: Vocabulary, random: Random): readonly Row[] {
  const texts = new Set<string>();
  const word = (): string => pick(smallWords, random);
  while (texts.size < count) {
    const [first, second] = [pick(things, random), pick(things, random)];
    const [one, other] = [pick(traits, random), pick(traits, random)];
    texts.add(
      vocabulary === "small"
        ? `${word()} ${word()} ${word()} ${word()}`
        : `the ${first} beside the ${second} looked ${one} and ${other}`,
    );
  }
  return [...texts].map((text) => ({ text, label: random.uniform() < 0.5 ? "heads" : "tails" }));
}

export const changes = ["grown", "moved", "repeated", "respaced", "all"] as const;
export type Change = (typeof changes)[number];

/** The file as it is uploaded the second time. */
export function changed(
  rows: readonly Row[],
  change: Change,
  options: { readonly vocabulary: Vocabulary; readonly seed: number },
): readonly Row[] {
  const { vocabulary, seed } = options;
  const random = new SeededRandom(seed, 1);
  switch (change) {
    case "grown": {
      const known = new Set(rows.map(({ text }) => text));
      const more = coinFlips(3 + random.integer(60), vocabulary, random);
      return [...more.filter(({ text }) => !known.has(text)), ...rows];
    }
    case "moved":
      return shuffled(rows, random);
    case "repeated":
      return [...rows, ...rows];
    case "respaced":
      return rows.map(({ text, label }) => ({ text: respaced(text, random), label }));
    case "all":
      return (["grown", "respaced", "repeated", "moved"] as const).reduce<readonly Row[]>(
        (all, one) => changed(all, one, options),
        rows,
      );
  }
}

export function shuffled<T>(values: readonly T[], random: Random): readonly T[] {
  const left = [...values];
  return values.map(() => {
    const [taken] = left.splice(random.integer(left.length), 1);
    return taken as T; // one is left for each of the values
  });
}

function respaced(text: string, random: Random): string {
  const words = text.split(" ").map((word) => (random.uniform() < 0.3 ? word.toUpperCase() : word));
  return words.map((word) => word + " ".repeat(1 + random.integer(3))).join("");
}
