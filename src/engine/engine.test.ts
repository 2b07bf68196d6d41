import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { present } from "../foundation/assert.ts";
import { systemClock } from "../foundation/clock.ts";
import { StrataError } from "../foundation/errors.ts";
import { limits } from "../foundation/limits.ts";
import { silentTelemetry, type Telemetry } from "../foundation/telemetry.ts";
import { servingGraph } from "../models/serving-graph.ts";
import { inputsAmong, smallConfig, smallWeights } from "../checkpoints/exam-encoder.ts";
import { OrtRuntime } from "../runtime/ort/ort-runtime.ts";
import type { Program, Runtime } from "../runtime/runtime.ts";
import type { Flow } from "../scheduling/flow.ts";
import { AdapterPool, type WantedWeights } from "./adapter-pool.ts";
import type { BatchRow, Lane, LaneProgram } from "../lanes/lane.ts";
import { type Arriving, Engine } from "./engine.ts";
import type { SequenceAnswer, SequenceRequest } from "./sequence.ts";
import { AdapterPrograms } from "../lanes/adapter-programs.ts";
import type { DenseLaneOptions } from "../lanes/dense-lane.ts";
import { type TextAnswer, textLane } from "../lanes/text-lane.ts";
import { Workers } from "./workers.ts";
import { formsIn, upperLayers } from "../models/adapters/adapters.ts";

let runtime: OrtRuntime;
let source: LaneProgram;
let program: Program;
let lane: Lane<TextAnswer>;

before(async () => {
  runtime = new OrtRuntime({ threadCount: 1, spinUs: 0 });
  const graph = servingGraph(smallConfig, "fp32", { adapters: formsIn(upperLayers(smallConfig)) });
  const constants = inputsAmong(graph, await smallWeights(runtime));
  source = { graph, constants };
  program = await runtime.load(graph, { constants });
  lane = laneOf();
});

after(() => runtime.close());

interface Observed {
  readonly engine: Engine;
  batchCount(): number;
  queueCount(): number;
}

/** Weights of heads, by blob. */
const heads = new Map<string, Float32Array>();

const pool = new AdapterPool({
  bytes: 64 * 1024,
  load: async (blob) => {
    const values = present(heads.get(blob), "the blob is there");
    const shape = [values.length / smallConfig.hiddenSize, smallConfig.hiddenSize];
    return new Map([["head.weight", { shape, values }]]);
  },
  metrics: silentTelemetry.metrics,
});

function laneOf(options: Partial<DenseLaneOptions> = {}): Lane<TextAnswer> {
  const programs = new AdapterPrograms(smallConfig, () => source);
  const fixed = { key: "small", config: smallConfig, programs, memory: pool.memory };
  return textLane({ ...fixed, msPerToken: 0.001, ...options });
}

function flowOf(id: string): Flow {
  return { id, weight: 1, deadlineMs: limits.queueWaitMsMax };
}

/** A runtime on which everything is this program. */
function runtimeOf(one: Program): Runtime {
  return { prepare() {}, load: () => Promise.resolve(one), close: () => Promise.resolve() };
}

/**
 * An engine of one worker per program, whose batches and queue can be seen as its metrics show
 * them.
 */
function engineOf(programs: readonly Program[] = [program]): Observed {
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
  const workers = new Workers(programs.map(runtimeOf));
  const engine = new Engine({ workers, pool, clock: systemClock, telemetry });
  return { engine, batchCount: () => batches, queueCount: () => queued };
}

type TextRequest = SequenceRequest<TextAnswer>;

function requestsOf(flow: string, count: number, tokenCount = 8): TextRequest[] {
  return Array.from({ length: count }, (_, index) => ({
    lane,
    flow: flowOf(flow),
    row: {
      ids: Int32Array.from({ length: tokenCount }, (__, place) => (index + place) % 13),
      pooling: "mean",
      adapter: undefined,
      outputCount: 0,
    },
    weights: undefined,
  }));
}

/** One text of three tokens for a head of two labels, whose blob holds these weights. */
function withHead(name: string, values: Float32Array): TextRequest[] {
  heads.set(`sha256:${name}`, values);
  const shape = [values.length / smallConfig.hiddenSize, smallConfig.hiddenSize];
  const weights: WantedWeights = {
    blob: `sha256:${name}`,
    tensors: [{ name: "head.weight", shape }],
  };
  return requestsOf(name, 1, 3).map(({ row, ...request }) => ({
    ...request,
    row: { ...row, outputCount: 2 },
    weights,
  }));
}

/** A request of one flow, each of whose texts has one token. */
function arriving(sequenceCount: number, flow = "a"): Arriving {
  return { lane, flow: flowOf(flow), sequenceCount, tokenCount: sequenceCount };
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
      assert.equal(alone?.answer.embedding.length, smallConfig.hiddenSize);
      for (const [place, value] of alone.answer.embedding.entries())
        assert.ok(Math.abs(value - (together[index]?.answer.embedding[place] ?? NaN)) <= 1e-6);
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
    engine.admit(arriving(0)).leave();
    assert.throws(
      () => engine.admit(arriving(1)),
      (error) =>
        error instanceof StrataError &&
        error.code === "OVERLOADED" &&
        /8192 are waiting, the limit is 8192/.test(error.message) &&
        (error.retryAfterMs ?? 0) >= 1,
    );
    await Promise.all(waiting);
    engine.admit(arriving(limits.queueSequenceCountMax)).leave();
  });

  it("counts what was admitted and is still on its way, until it leaves", () => {
    const { engine } = engineOf();
    const places = [1, 2, 3, 4].map(() => engine.admit(arriving(2048)));
    assert.throws(() => engine.admit(arriving(1)), hasCode("OVERLOADED"));
    places[0]?.leave();
    places[0]?.leave();
    engine.admit(arriving(2048));
    assert.throws(() => engine.admit(arriving(1)), hasCode("OVERLOADED"));
  });

  it("refuses who would wait too long for others, and only those", () => {
    // A second per token, and two seconds at most.
    const slow = laneOf({ msPerToken: 1_000 });
    const { engine } = engineOf();
    const asked = (flow: string, sequenceCount: number, tokenCount: number): Arriving => ({
      ...{ lane: slow, flow: flowOf(flow), sequenceCount, tokenCount },
    });
    const bulk = engine.admit(asked("bulk", 100, 1_000));
    assert.throws(
      () => engine.admit(asked("bulk", 1, 1)),
      (error) =>
        error instanceof StrataError &&
        /they would wait for 1000000 ms, the limit is 1400 ms/.test(error.message) &&
        error.retryAfterMs === limits.retryAfterMsMax,
    );
    // Another model's turn comes between the bulk's.
    engine.admit(asked("small", 1, 1)).leave();
    bulk.correct(0);
    engine.admit(asked("bulk", 1, 1));
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
    engine.admit(arriving(limits.queueSequenceCountMax)).leave();
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

describe("lanes", () => {
  it("share the workers, and never a batch", async () => {
    const batches: (readonly BatchRow[])[] = [];
    const watched = (key: string): Lane<TextAnswer> => ({
      ...lane,
      key,
      feeds: (rows) => {
        batches.push(rows);
        return lane.feeds(rows);
      },
    });
    const keys = new Map<Int32Array, string>();
    const requests = ["a", "b", "c"].flatMap((key) =>
      requestsOf(key, 40, 3).map((request) => {
        keys.set(request.row.ids, key);
        return { ...request, lane: watched(key) };
      }),
    );
    const { engine } = engineOf();
    await Promise.all(engine.submit(requests));
    assert.equal(batches.flat().length, 120);
    for (const rows of batches) assert.equal(new Set(rows.map(({ ids }) => keys.get(ids))).size, 1);
    // One of each in turn, since their flows weigh the same.
    const firsts = batches.slice(0, 3).map(([row]) => row && keys.get(row.ids));
    assert.equal(new Set(firsts).size, 3);
  });

  it("load a program in a worker when rows first need it, and again when that failed", async () => {
    const loaded: LaneProgram[] = [];
    const flaky: Runtime = {
      prepare() {},
      load: async () => {
        loaded.push(source);
        if (loaded.length === 1) throw new Error("no memory");
        return program;
      },
      close: () => Promise.resolve(),
    };
    const options = { pool, clock: systemClock, telemetry: silentTelemetry };
    const engine = new Engine({ workers: new Workers([flaky]), ...options });
    const twins = requestsOf("a", 2, 3);
    await Promise.all(engine.submit(twins));
    await Promise.all(engine.submit(twins));
    assert.equal(loaded.length, 2);
  });
});

/** The serving graph, failing as `fault` says. */
function faulty(fault: (lengths: readonly number[]) => Error | undefined): Program {
  return {
    run: async (feeds) => {
      const { lengths } = feeds;
      assert.ok(lengths !== undefined && lengths.kind === "value");
      const error = fault(Array.from(lengths.values, Number));
      if (error !== undefined) throw error;
      return program.run(feeds);
    },
    write: () => assert.fail("nothing is written"),
    read: () => assert.fail("nothing is read"),
    release: () => Promise.resolve(),
  };
}

async function sameAsAlone(
  requests: readonly TextRequest[],
  answers: readonly PromiseSettledResult<SequenceAnswer<TextAnswer>>[],
): Promise<void> {
  const { engine } = engineOf();
  for (const [index, request] of requests.entries()) {
    const [alone] = await Promise.all(engine.submit([request]));
    const answer = answers[index];
    assert.ok(answer?.status === "fulfilled" && alone !== undefined, `request ${index}`);
    for (const [place, value] of alone.answer.embedding.entries())
      assert.ok(Math.abs(value - (answer.value.answer.embedding[place] ?? NaN)) <= 1.2e-7);
  }
}

describe("a fault in a batch", () => {
  let healthy: readonly TextRequest[];
  before(() => {
    healthy = [...requestsOf("a", 9, 3), ...requestsOf("b", 9, 6)];
  });

  it("is answered to the guilty alone, whatever threw; the others as if nothing were", async () => {
    const guilty = requestsOf("guilty", 2, 11);
    const { engine } = engineOf([
      faulty((lengths) => (lengths.includes(11) ? new Error("eleven") : undefined)),
    ]);
    const requests = [...healthy.slice(0, 4), ...guilty, ...healthy.slice(4)];
    const answers = await Promise.allSettled(engine.submit(requests));
    for (const answer of answers.splice(4, 2)) {
      assert.ok(answer.status === "rejected" && hasCode("INTERNAL")(answer.reason));
      assert.match(String(answer.reason), /^StrataError: eleven$/);
    }
    await sameAsAlone(healthy, answers);
  });

  it("is no matter to the others when weights do not fit the batch", async () => {
    // Of seven labels, where the row says two.
    const bad = withHead("seven", new Float32Array(7 * smallConfig.hiddenSize));
    const { engine } = engineOf();
    const [one, ...others] = await Promise.allSettled(engine.submit([...bad, ...healthy]));
    assert.ok(one?.status === "rejected" && hasCode("INTERNAL")(one.reason));
    await sameAsAlone(healthy, others);
  });

  it("that is a number which is not finite is CORRUPT for its own model alone", async () => {
    const bad = withHead("huge", new Float32Array(2 * smallConfig.hiddenSize).fill(3e38));
    const { engine } = engineOf();
    const [one, ...others] = await Promise.allSettled(engine.submit([...bad, ...healthy]));
    assert.ok(one?.status === "rejected" && hasCode("CORRUPT")(one.reason));
    assert.match(String(one.reason), /the weights give numbers that are not finite/);
    await sameAsAlone(healthy, others);
  });

  it("that is over when the sequence is run again is nobody's", async () => {
    let runCount = 0;
    const dying = faulty(() => (runCount++ === 0 ? new Error("its thread has ended") : undefined));
    const { engine } = engineOf([dying]);
    const alone = requestsOf("a", 1, 5);
    await sameAsAlone(alone, await Promise.allSettled(engine.submit(alone)));
    assert.equal(runCount, 2);
  });

  it("of a worker that is gone costs no answer while another lives", async () => {
    const gone = faulty(() => new StrataError("UNAVAILABLE", "its thread has ended"));
    const { engine } = engineOf([program, gone]);
    const requests = [...healthy, ...healthy, ...healthy];
    await sameAsAlone(requests, await Promise.allSettled(engine.submit(requests)));
    engine.admit(arriving(1)).leave();
  });

  it("of the last worker ends the wait of all, and nobody else begins one", async () => {
    const gone = faulty(() => new StrataError("UNAVAILABLE", "its thread has ended"));
    const { engine } = engineOf([gone, gone]);
    const answers = await Promise.allSettled(engine.submit(requestsOf("a", 300)));
    for (const answer of answers)
      assert.ok(answer.status === "rejected" && hasCode("UNAVAILABLE")(answer.reason));
    assert.throws(() => engine.admit(arriving(1)), hasCode("UNAVAILABLE"));
  });
});
