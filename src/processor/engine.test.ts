import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { systemClock } from "../foundation/clock.ts";
import { StrataError } from "../foundation/errors.ts";
import { limits } from "../foundation/limits.ts";
import { silentTelemetry, type Telemetry } from "../foundation/telemetry.ts";
import { servingGraph } from "../models/serving-graph.ts";
import { inputsAmong, smallConfig, smallWeights } from "../checkpoints/exam-encoder.ts";
import { OrtRuntime } from "../runtime/ort/ort-runtime.ts";
import type { Program } from "../runtime/runtime.ts";
import { Engine, type SequenceRequest } from "./engine.ts";

let runtime: OrtRuntime;
let program: Program;

before(async () => {
  runtime = new OrtRuntime({ threadCount: 1, spinUs: 0 });
  const graph = servingGraph(smallConfig, "fp32");
  program = await runtime.load(graph, {
    constants: inputsAmong(graph, await smallWeights(runtime)),
  });
});

after(() => runtime.close());

interface Observed {
  readonly engine: Engine;
  batchCount(): number;
  queueCount(): number;
}

/** An engine of one worker, whose batches and queue can be seen as its metrics show them. */
function engineOf(): Observed {
  let batches = 0;
  let queued = 0;
  const telemetry: Telemetry = {
    ...silentTelemetry,
    metrics: {
      count() {},
      observe(name) {
        if (name === "strata_batch_seconds") batches += 1;
      },
      set(name, value) {
        if (name === "strata_queue_sequences") queued = value;
      },
    },
  };
  const memory = new Float32Array(new SharedArrayBuffer(4));
  const engine = new Engine({
    config: smallConfig,
    programs: [program],
    memory,
    clock: systemClock,
    telemetry,
  });
  return { engine, batchCount: () => batches, queueCount: () => queued };
}

function requestsOf(flow: string, count: number, tokenCount = 8): SequenceRequest[] {
  return Array.from({ length: count }, (_, index) => ({
    flow,
    ids: Int32Array.from({ length: tokenCount }, (__, place) => (index + place) % 13),
    pooling: "mean",
    rank: 0,
    labelCount: 0,
    resident: undefined,
  }));
}

function hasCode(code: string): (error: unknown) => boolean {
  return (error) => error instanceof StrataError && error.code === code;
}

describe("the engine", () => {
  it("answers every sequence with the embedding that it has alone", async () => {
    const { engine } = engineOf();
    const requests = [...requestsOf("a", 5, 3), ...requestsOf("b", 5, 9), ...requestsOf("c", 3, 1)];
    const together = await Promise.all(engine.submit(requests));
    for (const [index, request] of requests.entries()) {
      const [alone] = await Promise.all(engine.submit([request]));
      assert.equal(alone?.embedding.length, smallConfig.hiddenSize);
      for (const [place, value] of alone.embedding.entries())
        assert.ok(Math.abs(value - (together[index]?.embedding[place] ?? NaN)) <= 1e-6);
    }
  });

  it("does not let a bulk of 2,048 texts hold up another model's single text", async () => {
    const { engine, batchCount } = engineOf();
    const bulk = engine.submit(requestsOf("bulk", 2048));
    await bulk[0];
    const before = batchCount();
    const single = engine.submit(requestsOf("single", 1));
    await Promise.all(single);
    // One may be running, one is the text's own, one more may stand before it.
    assert.ok(batchCount() - before <= 3, `${batchCount() - before} batches`);
    await Promise.all(bulk);
    assert.ok(batchCount() >= 2048 / limits.batchSequenceCountMax);
  });

  it("shares its time between two bulks that came one after the other", async () => {
    const { engine } = engineOf();
    const order: string[] = [];
    const watched = (flow: string): Promise<unknown>[] =>
      engine.submit(requestsOf(flow, 1024)).map((answer) => answer.then(() => order.push(flow)));
    await Promise.all([...watched("first"), ...watched("second")]);
    const ofSecond = order.slice(0, 1024).filter((flow) => flow === "second").length;
    assert.ok(ofSecond > 350, `${ofSecond} of the first 1,024 answers are the second's`);
  });

  it("refuses more than the queue holds, says when to retry; drained, it takes again", async () => {
    const { engine } = engineOf();
    const waiting = engine.submit(requestsOf("a", limits.queueSequenceCountMax));
    engine.admit(0);
    assert.throws(
      () => engine.admit(1),
      (error) =>
        error instanceof StrataError &&
        error.code === "OVERLOADED" &&
        (error.retryAfterMs ?? 0) >= 100,
    );
    await Promise.all(waiting);
    engine.admit(limits.queueSequenceCountMax);
  });

  it("withdraws by signal what does not run yet, and frees its place", async () => {
    const { engine, queueCount } = engineOf();
    const abort = new AbortController();
    const answers = engine.submit(requestsOf("a", limits.queueSequenceCountMax), abort.signal);
    const outcomes = Promise.allSettled(answers);
    await answers[0];
    abort.abort();
    const rejected = (await outcomes).filter(({ status }) => status === "rejected");
    // Those that ran are answered: the first batch, and the one that was running.
    assert.ok(rejected.length >= limits.queueSequenceCountMax - 4 * limits.batchSequenceCountMax);
    for (const outcome of rejected)
      assert.ok(outcome.status === "rejected" && hasCode("CANCELLED")(outcome.reason));
    engine.admit(limits.queueSequenceCountMax);
    await Promise.all(engine.submit(requestsOf("b", 1)));
    assert.equal(queueCount(), 0);
  });

  it("runs nothing for a signal that was aborted before", async () => {
    const { engine, batchCount } = engineOf();
    const answers = engine.submit(requestsOf("a", 3), AbortSignal.abort());
    for (const answer of answers) await assert.rejects(answer, hasCode("CANCELLED"));
    await Promise.all(engine.submit(requestsOf("b", 1)));
    assert.equal(batchCount(), 1);
  });

  it("does not make a model pay for what was withdrawn", async () => {
    const { engine, batchCount } = engineOf();
    const others = engine.submit(requestsOf("b", 2048));
    const abort = new AbortController();
    const withdrawn = Promise.allSettled(engine.submit(requestsOf("a", 4096), abort.signal));
    await others[0];
    abort.abort();
    await withdrawn;
    const before = batchCount();
    await Promise.all(engine.submit(requestsOf("a", 1)));
    assert.ok(batchCount() - before <= 4, `${batchCount() - before} batches`);
    await Promise.all(others);
  });
});
