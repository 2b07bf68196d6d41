/**
 * Which weights are loaded next, and kept until they are used: a pure decision over those for which
 * sequences wait. The first in line come first, and only so many are held that batches find room.
 * The very first are always among them, whatever they take: so the line moves on in any pool, and
 * one that takes long to come does not hold up the next.
 */

/** Weights that are not resident, on their way, or held since they came. */
export interface AwaitedWeights {
  readonly bytes: number;
  readonly state: "absent" | "loading" | "held";
}

export interface LoadLimits {
  /** So many are loaded and held, even if they are more than `bytesMax`. */
  readonly countMin: number;
  readonly countMax: number;
  readonly bytesMax: number;
}

export interface ChosenLoads<W> {
  readonly begin: readonly W[];
  /** These stay resident while nothing else wants their room. */
  readonly letGo: readonly W[];
}

/** `inLine` has each weights once, in the order of the first sequences that need them. */
export function chooseLoads<W extends AwaitedWeights>(
  inLine: readonly W[],
  { countMin, countMax, bytesMax }: LoadLimits,
): ChosenLoads<W> {
  let bytes = 0;
  const past = inLine.findIndex((weights, place) => {
    bytes += weights.bytes;
    return place >= countMin && (place >= countMax || bytes > bytesMax);
  });
  const keptCount = past < 0 ? inLine.length : past;
  return {
    begin: inLine.slice(0, keptCount).filter(({ state }) => state === "absent"),
    letGo: inLine.slice(keptCount).filter(({ state }) => state === "held"),
  };
}
