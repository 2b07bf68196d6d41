/** The report that `strata base hierarchise` leaves: how its form came near to the base. */
import type { Chart } from "./line-chart.ts";
import { htmlOf } from "./reports.ts";
import type { DistillationPoint } from "../distillation/distillation.ts";

/** What `report.json` holds; numbers that are not named here are shown as well. */
interface Report {
  readonly base: string;
  readonly config: { readonly layerCount: number; readonly shallowLayerCount: number };
  readonly curve: readonly DistillationPoint[];
}

/** Points of a line; more would lie on each other. */
const pointsMax = 40;
/** The report has colours for no more. */
const linesMax = 5;

export function hierarchiseReport({ curve, ...record }: Report): string {
  const { layerCount, shallowLayerCount } = record.config;
  const upper = Array.from({ length: layerCount - shallowLayerCount }, (_, index) => index + 1);
  const states = [0, ...upper].map((index) => `error after layer ${shallowLayerCount + index}`);
  const found = states.map((name) => `${name}, looked up`);
  const points = thinned(curve, pointsMax).map((point) => valuesOf(point, [states, found]));
  const last = points.at(-1) ?? new Map<string, number>();
  const figureOf = (title: string, names: readonly string[]): Chart => ({
    title,
    xTitle: "million tokens",
    lines: names.map((name, style) => ({
      name,
      style,
      points: points.flatMap((values) => {
        const value = values.get(name);
        return value === undefined ? [] : [[(values.get("token count") ?? 0) / 1e6, value]];
      }),
    })),
  });
  const legend = thinned(states, linesMax);
  const others = [...last.keys()].filter(
    (name) => ![...states, ...found, "step", "token count"].includes(name),
  );
  return htmlOf({
    title: `${record.base}: the hierarchical form`,
    summary: [
      `Tables replace ${shallowLayerCount} of ${layerCount} layers; the state above them and ` +
        "each state after it are to be the base's. Judged on texts that were held out.",
    ],
    legend,
    note:
      "Error: the squared difference to the base's state, over the energy of that state. Looked " +
      "up: where tri-grams are seen as a table finds them, with the back-off that serves.",
    figures: [
      figureOf("Relative error by state", legend),
      figureOf("Relative error by state, looked up", thinned(found, linesMax)),
      ...others.map((name) =>
        figureOf(
          name.replace(/^./, (first) => first.toUpperCase()),
          [name],
        ),
      ),
    ],
    tables: [
      { title: "At the last point", titles: ["", "value"], rows: [...last].map(rowOf) },
      { title: "Settings", titles: ["", "value"], rows: leavesOf(record).map(rowOf) },
    ],
  });
}

/** The numbers of a point by their names; there is no loss at the start. */
function valuesOf(
  { errors, lookedUp, cosine, ...rest }: DistillationPoint,
  [states = [], found = []]: readonly (readonly string[])[],
): ReadonlyMap<string, number> {
  const cosines = { cosine, "cosine, looked up": lookedUp.cosine };
  const numbers = leavesOf({ ...rest, ...cosines }).flatMap(([name, value]) =>
    typeof value === "number" ? [[name, value] as const] : [],
  );
  const named = (names: readonly string[], values: readonly number[]) =>
    names.map((name, index) => [name, values[index] ?? 0] as const);
  return new Map([...numbers, ...named(states, errors), ...named(found, lookedUp.errors)]);
}

/** Keeps at most `countMax`, evenly spread, with the first and the last. */
function thinned<T>(values: readonly T[], countMax: number): readonly T[] {
  const last = values.length - 1;
  if (last < countMax) return values;
  const steps = Array.from({ length: countMax }, (_, index) => index / (countMax - 1));
  const kept = new Set(steps.map((share) => Math.round(share * last)));
  return values.filter((_, index) => kept.has(index));
}

function rowOf([name, value]: readonly [string, unknown]): readonly string[] {
  if (typeof value !== "number") return [name, typeof value === "string" ? value : "–"];
  return [name, Number.isInteger(value) ? String(value) : String(Number(value.toPrecision(4)))];
}

/** Every value that the record holds, by its path. */
function leavesOf(record: object, path = ""): readonly (readonly [string, unknown])[] {
  return Object.entries(record).flatMap(([field, value]: [string, unknown]) => {
    const name = path + wordsOf(field);
    const isObject = typeof value === "object" && value !== null;
    return isObject ? leavesOf(value, `${name}: `) : [[name, value] as const];
  });
}

/** `learning rate` for `learningRate`. */
function wordsOf(field: string): string {
  return field.replace(/[A-Z]/g, (letter) => ` ${letter.toLowerCase()}`);
}
