import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { hierarchiseReport } from "./hierarchise-report.ts";

/** A run of `count` points; the loss is not known at the first. */
function reportOf(count: number, layerCount = 4) {
  const curve = Array.from({ length: count }, (_, index) => ({
    step: 100 * index,
    tokenCount: 250_000 * index,
    loss: index === 0 ? null : 1 / index,
    errors: Array.from({ length: layerCount - 1 }, (__, layer) => (layer + 1) / (index + 1)),
    cosine: 1 - 0.5 / (index + 1),
    lookedUp: { errors: Array.from({ length: layerCount - 1 }, () => 0.25), cosine: 0.5 },
    words: { loss: 3 - index / count, accuracy: 0.5 },
  }));
  return {
    base: "tiny <b>",
    digest: "sha256:aa",
    from: undefined,
    config: { layerCount, shallowLayerCount: 2 },
    options: { learningRate: 0.0005, shares: { unigrams: 0.05 } },
    curve,
  };
}

function figuresOf(html: string): Map<string, string> {
  const found = html.matchAll(/<figcaption>([^<]*)<\/figcaption>([\s\S]*?)<\/svg>/g);
  return new Map([...found].map(([, title = "", svg = ""]) => [title, svg]));
}

describe("hierarchiseReport", () => {
  it("draws the error of every state, and each number of the points by itself", () => {
    const figures = figuresOf(hierarchiseReport(reportOf(3)));
    const titles = [
      "Relative error by state",
      "Loss",
      "Relative error by state, looked up",
      "Cosine",
      "Cosine, looked up",
      "Words: loss",
      "Words: accuracy",
    ];
    assert.deepEqual([...figures.keys()].sort(), titles.sort());
    assert.deepEqual(figures.get("Loss")?.match(/(?<=<title>)[^<]*/g), [
      "loss: 1.00 at 0.25 million tokens",
      "loss: 0.500 at 0.5 million tokens",
    ]);
    const errors = figures.get("Relative error by state") ?? "";
    assert.equal(errors.match(/class="curve"/g)?.length, 3);
    assert.ok(errors.includes("error after layer 4: 3.00 at 0 million tokens"));
    const found = figures.get("Relative error by state, looked up") ?? "";
    assert.ok(found.includes("error after layer 4, looked up: 0.250 at 0 million tokens"));
  });

  it("tells the last point and all settings, as text", () => {
    const html = hierarchiseReport(reportOf(3));
    const cells = new Map(
      [...html.matchAll(/<th scope="row">([^<]*)<\/th><td>([^<]*)<\/td><\/tr>/g)].map(
        ([, name, value]) => [name, value],
      ),
    );
    assert.equal(cells.get("cosine"), "0.8333");
    assert.equal(cells.get("token count"), "500000");
    assert.equal(cells.get("digest"), "sha256:aa");
    assert.equal(cells.get("options: shares: unigrams"), "0.05");
    assert.equal(cells.get("base"), "tiny &lt;b&gt;");
    assert.ok(!html.includes("<b>"));
  });

  it("is whole at the first point, and keeps first and last of many points and states", () => {
    const start = hierarchiseReport(reportOf(1));
    assert.ok(!figuresOf(start).has("Loss"));
    const many = hierarchiseReport(reportOf(301, 12));
    const cosine = figuresOf(many).get("Cosine") ?? "";
    assert.equal(cosine.match(/<title>/g)?.length, 40);
    assert.match(cosine, /at 0 million[\s\S]*at 75 million/);
    const [legend = ""] = many.match(/<ul[\s\S]*?<\/ul>/) ?? [];
    assert.equal(legend.match(/<li>/g)?.length, 5);
    assert.match(legend, /after layer 2<[\s\S]*after layer 12</);
    for (const html of [start, many]) assert.doesNotMatch(html, /NaN|Infinity|undefined/);
  });
});
