/**
 * The exam of `Lane`: what the interface promises of answers, asked of a lane over the small
 * encoder on ONNX Runtime, whatever its answers are.
 */
import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { inputsAmong, smallConfig, smallWeights } from "../checkpoints/exam-encoder.ts";
import type { Precision } from "../entities/base-model.ts";
import { upperLayers } from "../models/adapters/adapters.ts";
import { servingGraph } from "../models/serving-graph.ts";
import type { TaskUnit } from "../models/task-graph.ts";
import { OrtRuntime } from "../runtime/ort/ort-runtime.ts";
import { AdapterPrograms } from "./adapter-programs.ts";
import type { DenseLaneOptions } from "./dense-lane.ts";
import { ExamRows } from "./exam-rows.ts";
import type { BatchRow, Lane } from "./lane.ts";

export interface LaneExam<Answer> {
  /** What its graphs give scores to. */
  readonly task: TaskUnit;
  open(options: DenseLaneOptions): Lane<Answer>;
  /** All numbers of an answer. */
  numbersOf(answer: Answer): readonly number[];
}

/** Sums in batches of another shape may be rounded otherwise. */
const tolerance = 1e-5;

export function examineLane<Answer>(name: string, exam: LaneExam<Answer>): void {
  for (const precision of ["fp32", "int8"] as const)
    void describe(`${name}, as a lane: ${precision}`, () => {
      const rows = new ExamRows();
      let bench: LaneBench<Answer>;
      before(async () => {
        bench = await LaneBench.open(exam, { precision, memory: rows.memory });
      });
      after(() => bench.close());
      const upper = upperLayers(smallConfig);
      const row = rows.row({ kind: "lora", rank: 0, length: 4 });
      const mixed: readonly BatchRow[] = [
        row,
        rows.row({ kind: "bottleneck", rank: 4, layers: upper, length: 9 }),
        rows.row({ kind: "lora", rank: 2, length: 3 }),
        { ...row, ids: row.ids.slice(0, 2), outputCount: 0, resident: undefined },
        { ...row, pooling: "cls" },
      ];

      void it("gives each row of a batch what it gets alone", async () => {
        const together = await bench.answers(mixed);
        assert.equal(together.length, mixed.length);
        for (const [index, one] of mixed.entries()) {
          const [alone] = await bench.answers([one]);
          assertAlike(together[index], alone, `row ${index}`);
        }
      });

      void it("gives the same beside a row that takes another program", async () => {
        const [, adapted] = mixed;
        assert.ok(adapted !== undefined);
        const deep = rows.row({ kind: "lora", rank: 2, layers: [0], length: 9 });
        const { lane } = bench;
        assert.notEqual(lane.programFor([adapted]), lane.programFor([adapted, deep]));
        assert.equal(lane.programFor([adapted, deep]), lane.programFor([deep]));
        const [alone] = await bench.answers([adapted]);
        const [beside] = await bench.answers([adapted, deep]);
        assertAlike(beside, alone, "beside one that adapts the lowest layer");
      });

      void it("answers all but a row whose numbers are not finite", async () => {
        const bad = rows.row({ kind: "lora", rank: 0, head: NaN });
        const [first, none, last] = await bench.answers([row, bad, row]);
        assert.equal(none, undefined);
        const [alone] = await bench.answers([row]);
        for (const one of [first, last]) assertAlike(one, alone, "beside it");
      });

      void it("refuses adapters that it does not compute", () => {
        const adapter = { kind: "lora", rank: 2, layers: [smallConfig.layerCount] } as const;
        const beyond = { ...row, adapter };
        assert.throws(() => bench.lane.programFor([beyond]), { name: "AssertionError" });
        assert.throws(() => bench.lane.programFor([row, beyond]), { name: "AssertionError" });
      });
    });
}

function assertAlike(
  found: readonly number[] | undefined,
  expected: readonly number[] | undefined,
  what: string,
): void {
  assert.ok(found !== undefined && expected !== undefined, what);
  assert.equal(found.length, expected.length, what);
  const differences = found.map((value, index) => Math.abs(value - (expected[index] ?? NaN)));
  const most = Math.max(0, ...differences);
  assert.ok(most <= tolerance, `${what}: ${most}`);
}

/** A lane, and a runtime for its programs. */
class LaneBench<Answer> {
  readonly #runtime: OrtRuntime;
  readonly #exam: LaneExam<Answer>;
  readonly lane: Lane<Answer>;

  private constructor(runtime: OrtRuntime, exam: LaneExam<Answer>, lane: Lane<Answer>) {
    this.#runtime = runtime;
    this.#exam = exam;
    this.lane = lane;
  }

  static async open<Answer>(
    exam: LaneExam<Answer>,
    { precision, memory }: { readonly precision: Precision; readonly memory: Float32Array },
  ): Promise<LaneBench<Answer>> {
    const runtime = new OrtRuntime({ threadCount: 1, spinUs: 0 });
    const weights = await smallWeights(runtime);
    const { task } = exam;
    const programs = new AdapterPrograms(smallConfig, (adapters) => {
      const graph = servingGraph(smallConfig, precision, { adapters, task });
      return { graph, constants: inputsAmong(graph, weights) };
    });
    const lane = exam.open({ key: "small", msPerToken: 1, config: smallConfig, programs, memory });
    return new LaneBench(runtime, exam, lane);
  }

  /** The numbers of each row's answer. */
  async answers(rows: readonly BatchRow[]): Promise<readonly (readonly number[] | undefined)[]> {
    const { graph, constants } = this.lane.programFor(rows);
    const program = await this.#runtime.load(graph, { constants });
    const results = await program.run(this.lane.feeds(rows));
    await program.release();
    const answers = this.lane.answers(results, rows);
    return answers.map((answer) =>
      answer === undefined ? undefined : this.#exam.numbersOf(answer),
    );
  }

  close(): Promise<void> {
    return this.#runtime.close();
  }
}
