import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { type Chart, lineChart } from "./line-chart.ts";
import { htmlOf } from "./reports.ts";

const chart: Chart = {
  title: "In time",
  xTitle: "devices",
  target: 0.99,
  base: 4,
  lines: [
    {
      name: "ours",
      style: 0,
      points: [
        [2, 0.5],
        [4, 0.9],
        [8, 1],
      ],
    },
    {
      name: "theirs",
      style: 1,
      points: [
        [2, 0.4],
        [4, 0.6],
      ],
    },
  ],
};

/** Every tag is closed, in order; those that HTML never closes are left out. */
function assertBalanced(markup: string): void {
  const open: string[] = [];
  for (const [tag, end, name = "", empty] of markup.matchAll(/<(\/?)(\w+)[^>]*?(\/?)>/g)) {
    if (name === "meta" || empty === "/") continue;
    if (end === "") open.push(name);
    else assert.equal(open.pop(), name, tag);
  }
  assert.deepEqual(open, []);
}

describe("lineChart", () => {
  const svg = lineChart(chart);

  test("draws a curve for each line, and a mark with its numbers for each point", () => {
    assert.equal(svg.match(/class="curve"/g)?.length, 2);
    assert.deepEqual(svg.match(/(?<=<title>)[^<]*/g), [
      "theirs: 40.0 % at 2 devices",
      "theirs: 60.0 % at 4 devices",
      "ours: 50.0 % at 2 devices",
      "ours: 90.0 % at 4 devices",
      "ours: 100.0 % at 8 devices",
    ]);
    assertBalanced(svg);
  });

  test("more is higher, and farther is to the right", () => {
    const [, ours = ""] = svg.match(/(?<=class="curve" d=")[^"]*/g) ?? [];
    const points = ours
      .slice(1)
      .split("L")
      .map((point) => point.split(" ").map(Number));
    assert.equal(points.length, 3);
    for (const [index, [x = 0, y = 0]] of points.slice(1).entries()) {
      assert.ok(x > (points[index]?.[0] ?? 0));
      assert.ok(y < (points[index]?.[1] ?? 0));
    }
  });

  test("whole values have whole ticks", () => {
    assert.deepEqual(svg.match(/(?<=class="tick">)[^<]*/g), ["2", "3", "4", "5", "6", "7", "8"]);
  });

  test("any values are drawn inside of the chart", () => {
    const value = fc.oneof(fc.constant(0), fc.double({ min: 1e-9, max: 1e9, noNaN: true }));
    const share = fc.double({ min: 0, max: 1, noNaN: true });
    const points = fc.array(fc.tuple(value, share), { maxLength: 6 });
    fc.assert(
      fc.property(points, value, share, (given, base, target) => {
        const drawn = lineChart({
          ...chart,
          ...{ base, target },
          lines: [{ name: "n", style: 4, points: given }],
        });
        assert.ok(!/NaN|Infinity|undefined/.test(drawn), drawn);
        for (const [, x, y] of drawn.matchAll(/d="M([-\d.]+) ([-\d.]+)/g))
          assert.ok(Number(x) >= 0 && Number(x) <= 480 && Number(y) >= 0 && Number(y) <= 300);
      }),
    );
  });
});

describe("lineChart without a target", () => {
  const points = [
    [1, 2],
    [2, 0.2],
    [4, 0.02],
  ] as const;
  const lines = [{ name: "loss", style: 0, points }];
  const svg = lineChart({ title: "Loss", xTitle: "devices", lines });

  test("draws values of any size, from 0 to the right, on a scale that fits them", () => {
    assert.deepEqual(svg.match(/(?<=<title>)[^<]*/g), [
      "loss: 2.00 at 1 devices",
      "loss: 0.200 at 2 devices",
      "loss: 0.0200 at 4 devices",
    ]);
    const marks = svg.matchAll(/<path d="M[-\d.]+ ([-\d.]+)m/g);
    const heights = [...marks].map(([, y]) => Number(y));
    assert.deepEqual(heights, [14, 130, 246], "logarithmic, from top to bottom");
    assert.match(svg, />0\.02<[\s\S]*>0\.2<[\s\S]*>2</);
    assert.match(svg, /class="tick">0.0</);
    assert.doesNotMatch(svg, /class="(base|target)"|NaN|Infinity|undefined/);
  });
});

describe("htmlOf", () => {
  const hostile = `<script>alert("x")</script> & 'co'`;
  const html = htmlOf({
    title: hostile,
    summary: [hostile],
    legend: ["ours", hostile],
    note: hostile,
    figures: [{ ...chart, title: hostile, xTitle: hostile }],
    tables: [{ title: hostile, titles: [hostile], rows: [[hostile, hostile]] }],
  });

  test("names stay text", () => {
    assert.ok(!html.includes("<script"));
    assert.ok(html.includes("&lt;script&gt;alert(&quot;x&quot;)&lt;/script&gt; &amp; 'co'"));
    assertBalanced(html);
  });

  test("asks for nothing else", () => {
    assert.doesNotMatch(html, /https?:|\bsrc=|\bhref=|url\(|@import/);
  });

  test("every figure has its numbers, with a dash where there is none", () => {
    const [rows = ""] = html.match(/<details>[\s\S]*?<\/details>/) ?? [];
    const cells = [...rows.matchAll(/<(?:td|th scope="row")>([^<]*)/g)].map(([, cell]) => cell);
    assert.deepEqual(cells.slice(0, 3), ["2", "50.0 %", "40.0 %"]);
    assert.deepEqual(cells.slice(6), ["8", "100.0 %", "–"]);
  });
});
