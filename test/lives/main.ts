/**
 * Lives by hand: `npm run lives -- --seed N`, with `--seeds COUNT`, `--operations COUNT`,
 * `--plant NAME` or `--trace`. A seed that violates something is printed with its last lines.
 */
import { parseArgs } from "node:util";
import { plants, soundProduct } from "./planted.ts";
import { simulate } from "./simulation.ts";

const { values } = parseArgs({
  options: {
    seed: { type: "string", default: "1" },
    seeds: { type: "string", default: "1" },
    operations: { type: "string", default: "400" },
    plant: { type: "string" },
    trace: { type: "boolean", default: false },
  },
});
const plant = plants.find(({ name }) => name === values.plant) ?? soundProduct;
const first = Number(values.seed);
for (let seed = first; seed < first + Number(values.seeds); seed++) {
  const startMs = performance.now();
  const { lastLines, ...report } = await simulate({
    seed,
    operationCount: Number(values.operations),
    plant,
    ...(values.trace && { onLine: (line: string) => console.log(line) }),
  });
  console.log(JSON.stringify({ ...report, ms: Math.round(performance.now() - startMs) }));
  if (report.violation === undefined) continue;
  console.log(lastLines.slice(-40).join("\n"));
  process.exitCode = 1;
}
