/** A report is one HTML document that asks for nothing: figures with their numbers, and tables. */
import { type Chart, escaped, lineChart, markOf, valueText } from "./line-chart.ts";

export interface Report {
  readonly title: string;
  /** Sentences below the title. */
  readonly summary: readonly string[];
  /** The legend of all figures, with a note below; a line's style is its number here. */
  readonly legend: readonly string[];
  readonly note: string;
  readonly figures: readonly Chart[];
  readonly tables: readonly ReportTable[];
}

export interface ReportTable {
  readonly title: string;
  readonly titles: readonly string[];
  /** Cells as text; the first one names the row. */
  readonly rows: readonly (readonly string[])[];
}

export function htmlOf({ title, summary, legend, note, figures, tables }: Report): string {
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${escaped(title)}</title>
<style>${reportStyle}</style>
</head>
<body>
<h1>${escaped(title)}</h1>
${summary.map((sentence) => `<p>${escaped(sentence)}</p>`).join("\n")}
${figures.length === 0 ? "" : legendOf(legend, note)}
<main>
${figures.map(figureOf).join("\n")}
</main>
${tables.map(tableOf).join("\n")}
</body>
</html>
`;
}

function legendOf(names: readonly string[], note: string): string {
  return `<ul class="legend">${names.map(legendItem).join("")}</ul>
<p class="quiet">${escaped(note)}</p>`;
}

function legendItem(name: string, style: number): string {
  const line = `<path class="curve" d="M2 8H34"/><path d="M18 8${markOf(style)}"/>`;
  const group = `<g class="style${style}">${line}</g>`;
  return `<li><svg viewBox="0 0 36 16" aria-hidden="true">${group}</svg>${escaped(name)}</li>`;
}

function figureOf(chart: Chart): string {
  const values = [...new Set(chart.lines.flatMap(({ points }) => points.map(([x]) => x)))];
  const rows = values.map((value) => [
    String(Number(value.toPrecision(4))),
    ...chart.lines.map(({ points }) => valueText(points.find(([x]) => x === value)?.[1], chart)),
  ]);
  const titles = [chart.xTitle, ...chart.lines.map(({ name }) => name)];
  return `<figure>
<figcaption>${escaped(chart.title)}</figcaption>
${lineChart(chart)}
<details><summary>Numbers</summary>${cellsOf(titles, rows)}</details>
</figure>`;
}

function tableOf({ title, titles, rows }: ReportTable): string {
  return `<section><h2>${escaped(title)}</h2>${cellsOf(titles, rows)}</section>`;
}

function cellsOf(titles: readonly string[], rows: ReportTable["rows"]): string {
  const heading = titles.map((title) => `<th scope="col">${escaped(title)}</th>`).join("");
  const body = rows.map(([name = "", ...cells]) => {
    const values = cells.map((cell) => `<td>${escaped(cell)}</td>`).join("");
    return `<tr><th scope="row">${escaped(name)}</th>${values}</tr>`;
  });
  return `<div class="scroll"><table><thead><tr>${heading}</tr></thead>
<tbody>${body.join("\n")}</tbody></table></div>`;
}

export function percent(share: number): string {
  return `${(100 * share).toFixed(1)} %`;
}

const reportStyle = `
:root {
  color-scheme: light dark;
  --ink: #1b1f24; --quiet: #59636e; --ground: #fbfbfa; --card: #ffffff; --line: #d3d8de;
  --c0: #0b5fc0; --c1: #b8420a; --c2: #0b7a5b; --c3: #8a35ab; --c4: #68707b;
}
@media (prefers-color-scheme: dark) {
  :root {
    --ink: #e6e9ed; --quiet: #9aa5b1; --ground: #14171a; --card: #1c2025; --line: #3a424b;
    --c0: #74b3ff; --c1: #ff9c6b; --c2: #52d0a6; --c3: #d69cf2; --c4: #a9b3bf;
  }
}
* { box-sizing: border-box; }
body {
  margin: 0 auto; max-width: 68rem; padding: 1.5rem 1rem 3rem;
  font: 1rem/1.5 system-ui, sans-serif; color: var(--ink); background: var(--ground);
}
h1 { font-size: 1.5rem; margin: 0 0 .5rem; }
h2 { font-size: 1.1rem; margin: 2rem 0 .5rem; }
.quiet { color: var(--quiet); font-size: .9rem; }
p { margin: 0 0 .4rem; max-width: 46rem; }
main {
  display: grid; gap: 1rem;
  grid-template-columns: repeat(auto-fit, minmax(min(28rem, 100%), 1fr));
}
figure {
  margin: 0; padding: 1rem; background: var(--card); border: 1px solid var(--line);
  border-radius: .6rem; min-width: 0;
}
figcaption { font-weight: 600; margin-bottom: .5rem; }
figure svg { display: block; width: 100%; height: auto; }
svg text { font: 13px system-ui, sans-serif; fill: var(--quiet); text-anchor: middle; }
svg text.end { text-anchor: end; }
svg text.axis { fill: var(--ink); }
.grid { stroke: var(--line); }
.base { stroke: var(--quiet); stroke-dasharray: 2 4; }
.target { stroke: var(--ink); stroke-dasharray: 7 5; stroke-opacity: .7; }
.curve { fill: none; stroke-width: 2; stroke-linejoin: round; }
.style0 { fill: var(--c0); stroke: var(--c0); }
.style0 .curve { stroke-width: 3; }
.style1 { fill: var(--c1); stroke: var(--c1); }
.style2 { fill: var(--c2); stroke: var(--c2); }
.style3 { fill: var(--c3); stroke: var(--c3); }
.style4 { fill: var(--c4); stroke: var(--c4); }
.style4 .curve { stroke-dasharray: 6 4; }
.legend {
  list-style: none; margin: 1.25rem 0 .75rem; padding: 0; display: flex; flex-wrap: wrap;
  gap: .25rem 1.25rem;
}
.legend li { display: flex; align-items: center; gap: .5rem; }
.legend svg { width: 36px; height: 16px; flex: none; }
details { margin-top: .5rem; color: var(--quiet); font-size: .9rem; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; font-size: .9rem; font-variant-numeric: tabular-nums; }
th, td { padding: .25rem .9rem .25rem 0; text-align: right; white-space: nowrap; }
th:first-child {
  text-align: left; font-weight: 500; white-space: normal; overflow-wrap: anywhere; min-width: 9rem;
}
thead th { color: var(--quiet); font-weight: 500; border-bottom: 1px solid var(--line); }
tbody tr + tr th, tbody tr + tr td { border-top: 1px solid var(--line); }
`;
