/** Labelled texts of the small checkpoint's words, for exams of what learns. */
import { smallWords } from "../checkpoints/exam-small-checkpoint.ts";
import { SeededRandom } from "../foundation/random.ts";

export interface Line {
  readonly text: string;
  readonly label: string;
}

export function asJsonLines(lines: readonly Line[]): string {
  return lines.map((line) => JSON.stringify(line)).join("\n");
}

/** Two words of one half of the vocabulary: a head alone tells them apart. */
export function easyLines(count: number, seed = 1): readonly Line[] {
  const random = new SeededRandom(seed);
  return Array.from({ length: count }, (_, index) => {
    const isHigh = index % 2 === 0;
    const word = (): string => smallWords[random.integer(20) + (isHigh ? 20 : 0)] ?? "";
    return { text: `${word()} ${word()}`, label: isHigh ? "high" : "low" };
  });
}

/** Whether the two words are of the same half: no sum over the words tells. */
export function hardLines(count: number, seed = 2): readonly Line[] {
  const random = new SeededRandom(seed);
  const word = (isHigh: boolean): string => smallWords[random.integer(4) + (isHigh ? 4 : 0)] ?? "";
  return Array.from({ length: count }, (_, index) => {
    const [isFirst, isSecond] = [random.uniform() < 0.5, index % 2 === 0];
    const label = isFirst === isSecond ? "same" : "other";
    return { text: `${word(isFirst)} ${word(isSecond)}`, label };
  });
}

/** One of two words tells the label, and two others say nothing: a head alone tells them apart. */
export function markedLines(count: number, seed = 3): readonly Line[] {
  const random = new SeededRandom(seed);
  const word = (): string => smallWords[random.integer(36)] ?? "";
  return Array.from({ length: count }, (_, index) => {
    const isHigh = index % 2 === 0;
    return {
      text: `${isHigh ? "w39" : "w38"} ${word()} ${word()}`,
      label: isHigh ? "high" : "low",
    };
  });
}
