/** Line charts as SVG text; colours and strokes come from the style of the report around them. */
import { type ScaleContinuousNumeric, scaleLinear, scaleLog } from "d3-scale";

export interface ChartLine {
  readonly name: string;
  /** The number in the report's style: colour, stroke and mark. */
  readonly style: number;
  readonly points: readonly Point[];
}

type Point = readonly [number, number];

export interface Chart {
  /** The title of what is drawn, for those who do not see it. */
  readonly title: string;
  readonly xTitle: string;
  /** Lines over values of at least 0; the first one lies on top. */
  readonly lines: readonly ChartLine[];
  /** What is to be reached, across the chart; where there is one, lines are shares in [0, 1]. */
  readonly target?: number;
  /** The value at which things stand now, beside a target. */
  readonly base?: number;
}

const [width, height] = [480, 300];
const [left, right, top, bottom] = [48, 468, 14, 246];
/** An axis over more than this, from its least to its greatest value, is logarithmic. */
const linearRatioMax = 15;

/** A chart with a target and without points is its frame. */
export function lineChart(chart: Chart): string {
  const { title, xTitle, lines, target, base } = chart;
  const points = lines.flatMap((line) => line.points);
  const x = axisOf([...points.map(([value]) => value), base ?? 0], [left + 16, right - 16]);
  const values = [...points.map(([, value]) => value), target ?? []].flat();
  const least = Math.min(0.9, Math.floor(Math.min(...values) * 10) / 10);
  const isShare = target !== undefined;
  const y = isShare ? scaleLinear([least, 1], [bottom, top]) : axisOf(values, [bottom, top]).scale;
  const text = isShare ? (part: number) => `${Math.round(part * 100)} %` : y.tickFormat(5, ".3~g");
  const place = ([value, part]: Point): Point => [round(x.scale(value)), round(y(part))];
  return [
    `<svg viewBox="0 0 ${width} ${height}" role="img" aria-label="${escaped(title)}">`,
    ...y
      .ticks(5)
      .flatMap((value) => [
        stroke([left, round(y(value))], [right, round(y(value))], "grid"),
        label([left - 8, round(y(value)) + 4], text(value), 'class="tick end"'),
      ]),
    ...x.ticks.map(([value, text]) =>
      label([round(x.scale(value)), bottom + 20], text, 'class="tick"'),
    ),
    base === undefined ? "" : stroke(place([base, least]), place([base, 1]), "base"),
    isShare ? stroke([left, round(y(target))], [right, round(y(target))], "target") : "",
    label([(left + right) / 2, height - 8], xTitle, 'class="axis"'),
    ...lines.toReversed().map((line) => drawn(line, place, chart)),
    "</svg>",
  ].join("\n");
}

/** A value of a line; a dash where there is none. */
export function valueText(value: number | undefined, { target }: Chart): string {
  if (value === undefined) return "–";
  return target === undefined ? value.toPrecision(3) : `${(100 * value).toFixed(1)} %`;
}

/** Escapes text and attribute values for HTML and SVG. */
export function escaped(text: string): string {
  const entities = ["&amp;", "&lt;", "&gt;", "&quot;"];
  return text.replace(/[&<>"]/g, (letter) => entities['&<>"'.indexOf(letter)] ?? letter);
}

interface Axis {
  readonly scale: ScaleContinuousNumeric<number, number>;
  readonly ticks: readonly (readonly [number, string])[];
}

function axisOf(values: readonly number[], range: readonly number[]): Axis {
  const [least, most] = [Math.min(...values), Math.max(...values)];
  const isLog = least > 0 && most > linearRatioMax * least;
  // A single value stands in the middle.
  const isOne = most - least <= Number.EPSILON * 8 * most;
  const domain = isOne ? [least - 1, most + 1] : [least, most];
  const scale = isLog ? scaleLog(domain, range) : scaleLinear(domain, range);
  const format = scale.tickFormat(6);
  const areWhole = values.every(Number.isInteger);
  const ticks = scale
    .ticks(6)
    .filter((value) => !areWhole || Number.isInteger(value))
    .map((value) => [value, format(value)] as const);
  return { scale, ticks };
}

function drawn({ name, style, points }: ChartLine, place: (at: Point) => Point, of: Chart): string {
  const path = points.map((point) => place(point).join(" ")).join("L");
  const marks = points.map((point) => {
    const [at, value] = [place(point), point[0].toPrecision(3)];
    const told = `${name}: ${valueText(point[1], of)} at ${Number(value)} ${of.xTitle}`;
    return `<path d="M${at.join(" ")}${markOf(style)}"><title>${escaped(told)}</title></path>`;
  });
  const curve = points.length === 0 ? "" : `<path class="curve" d="M${path}"/>`;
  return `<g class="style${style}">${curve}${marks.join("")}</g>`;
}

/** Around the point that the path is at: circle, square, diamond, triangle, and upside down. */
export function markOf(style: number): string {
  const marks = [
    "m-4.5 0a4.5 4.5 0 1 0 9 0a4.5 4.5 0 1 0 -9 0z",
    "m-4 -4h8v8h-8z",
    "m0 -5.5l5.5 5.5l-5.5 5.5l-5.5 -5.5z",
    "m0 -5l5 9h-10z",
    "m0 5l5 -9h-10z",
  ];
  return marks[style % marks.length] ?? "";
}

function stroke([x1, y1]: Point, [x2, y2]: Point, style: string): string {
  return `<line x1="${x1}" y1="${y1}" x2="${x2}" y2="${y2}" class="${style}"/>`;
}

function label([x, y]: Point, text: string, attributes: string): string {
  return `<text x="${x}" y="${y}" ${attributes}>${escaped(text)}</text>`;
}

/** A tenth of a pixel is enough. */
function round(value: number): number {
  return Math.round(value * 10) / 10;
}
