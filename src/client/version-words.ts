/** How versions are worded for people: the command line and the console say the same. */
import type { ModelVersion } from "../contract/models.ts";

/** What a version reached on texts that it did not learn from, or why there is no figure. */
export function figureWords({ figure, kind }: Pick<ModelVersion, "figure" | "kind">): string {
  if (figure === null)
    return kind === "derived" ? "not judged: a copy with noise" : "too few texts";
  const { name, value, count } = figure;
  const share = `${name} ${percentWords(value)}`;
  return count === null ? share : `${share} on ${count} ${count === 1 ? "text" : "texts"}`;
}

/** "lora, rank 8, in layers 0 to 5", or that there is none. */
export function adapterWords({ adapter }: Pick<ModelVersion, "adapter">): string {
  if (adapter === null) return "none, a head only";
  const { kind, rank, layers } = adapter;
  return `${kind}, rank ${rank}, in layers ${layers.at(0)} to ${layers.at(-1)}`;
}

type Served = Pick<ModelVersion, "version" | "is_served" | "outcome">;

/**
 * How the version serves; empty when another one does. It serves by alias when verdicts would have
 * another one serve: somebody has moved the alias since.
 */
export function servingWords(own: Served, versions: readonly Served[]): string {
  if (!own.is_served) return "";
  const hasLost = own.outcome === "not_served";
  const hasWinner = versions.some(
    ({ version, outcome }) => version > own.version && outcome === "served",
  );
  return hasLost || hasWinner ? "serves by alias" : "served";
}

/** A verdict is of the day of publishing: another version may serve since. */
export function verdictWords({ verdict }: Pick<ModelVersion, "verdict">): string {
  return verdict === null ? "" : `when published: ${verdict}`;
}

/** What keeps a model or a version from answering; empty where nothing does, as far as is known. */
export function damageWords({ fault }: Pick<ModelVersion, "fault">): string {
  return fault === null ? "" : `damaged: ${fault}`;
}

/** A share in [0, 1], for example `83.3 %`. */
export function percentWords(share: number): string {
  return `${(100 * share).toFixed(1)} %`;
}
