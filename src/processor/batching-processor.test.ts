/** The processor as a whole, over a small base: which version answers, sharing, limits, paging. */
import assert from "node:assert/strict";
import { rm } from "node:fs/promises";
import { after, before, describe, it } from "node:test";
import { operator } from "../entities/caller.ts";
import type { Version } from "../entities/virtual-model.ts";
import { encodeSafetensors } from "../formats/safetensors.ts";
import type { Digest } from "../foundation/digest.ts";
import { StrataError } from "../foundation/errors.ts";
import { taskNames } from "../foundation/kind-names.ts";
import { SeededRandom } from "../foundation/random.ts";
import {
  createRandomModel,
  maxDifference,
  openStack,
  publishRandom,
  type RandomModel,
  randomTensors,
  type Stack,
  modelNamed,
} from "./exam-stack.ts";
import { smallWords, writeSmallCheckpoint } from "../checkpoints/exam-small-checkpoint.ts";
import { checkTask } from "./batching-processor.ts";
import type { ModelInputs, ModelRequest } from "./processor.ts";
import { embeddingsQuestion, labelsQuestion } from "./questions.ts";

let folder = "";
let stack: Stack;

before(async () => {
  folder = await writeSmallCheckpoint();
  stack = await openStack({ folder, precision: "int8" });
});

after(async () => {
  await stack.close();
  await rm(folder, { recursive: true });
});

const random = new SeededRandom(9);

function textOf(wordCount: number): string {
  return Array.from({ length: wordCount }, () => smallWords[random.integer(40)]).join(" ");
}

function isError(code: string): (error: unknown) => boolean {
  return (error) => error instanceof StrataError && error.code === code;
}

function classify(model: string, inputs: readonly string[], { processor } = stack) {
  return processor.ask(operator, labelsQuestion, { model, inputs });
}

function embed(inputs: ModelInputs, options: Partial<ModelRequest> = {}) {
  return stack.processor.ask(operator, embeddingsQuestion, { model: "base", inputs, ...options });
}

async function versionOf(name: string): Promise<number> {
  return (await classify(name, ["w1 w2"])).version;
}

describe("which version answers", () => {
  it("is none for an unknown model, and never the base", async () => {
    for (const name of ["nobody", "base@1", "nobody@1"]) {
      await assert.rejects(classify(name, ["w1"]), isError("NOT_FOUND"));
      await assert.rejects(embed(["w1"], { model: name }), isError("NOT_FOUND"));
    }
    await assert.rejects(classify("base", ["w1"]), isError("INVALID_ARGUMENT"));
  });

  it("is none before there is one", async () => {
    await stack.creator.create(operator, { id: "empty", base: "base", labels: ["a", "b"] });
    await assert.rejects(classify("empty", ["w1"]), isError("CONFLICT"));
  });

  it("is the served one, or the one that is named, and follows the alias at once", async () => {
    const model = { id: "moving", rank: 4, labelCount: 2 };
    await createRandomModel(stack, model);
    assert.equal(await versionOf("moving"), 1);
    await publishRandom(stack, model, false);
    assert.equal(await versionOf("moving"), 1);
    assert.equal(await versionOf("moving@2"), 2);
    await stack.creator.serve(operator, await modelNamed(stack, "moving"), 2);
    assert.equal(await versionOf("moving"), 2);
    await publishRandom(stack, model, true);
    assert.equal(await versionOf("moving"), 3);
    await stack.creator.serve(operator, await modelNamed(stack, "moving"), 1);
    assert.equal(await versionOf("moving"), 1);
    await assert.rejects(versionOf("moving@4"), isError("NOT_FOUND"));
  });

  it("answers with the version's own weights", async () => {
    const text = ["w3 w4 w5"];
    const of = async (name: string): Promise<Float32Array> => {
      const [row] = (await classify(name, text)).probabilities;
      assert.ok(row !== undefined);
      return row;
    };
    const [first, second] = [await of("moving@1"), await of("moving@2")];
    assert.ok(maxDifference(first, second) > 1e-4);
    assert.deepEqual(await of("moving"), first);
  });

  it("is none as soon as the model is deleted, even for names with a number", async () => {
    await createRandomModel(stack, { id: "gone", rank: 4, labelCount: 2 });
    assert.equal(await versionOf("gone"), 1);
    assert.equal(await versionOf("gone@1"), 1);
    await stack.creator.delete(operator, await modelNamed(stack, "gone"));
    for (const name of ["gone", "gone@1"])
      await assert.rejects(versionOf(name), isError("NOT_FOUND"));
  });

  it("is the one that is served by then, when its own is deleted while it waits", async (t) => {
    const model = { id: "followed", rank: 4, labelCount: 2 };
    const first = await createRandomModel(stack, model);
    await publishRandom(stack, model, false);
    const { blobs } = stack.store;
    const get = blobs.get.bind(blobs);
    const reads = t.mock.method(blobs, "get", async (digest: Digest) => {
      if (digest === first.blob && reads.mock.callCount() === 0) {
        const found = await modelNamed(stack, "followed");
        await stack.creator.serve(operator, found, 2);
        await stack.creator.deleteVersion(operator, found, 1);
      }
      return get(digest);
    });
    const [unnamed, named] = await Promise.allSettled([
      classify("followed", ["w1 w2"]),
      classify("followed@1", ["w1 w2"]),
    ]);
    assert.ok(
      unnamed.status === "fulfilled",
      String(unnamed.status === "rejected" && unnamed.reason),
    );
    assert.equal(unnamed.value.version, 2);
    assert.deepEqual(
      unnamed.value.probabilities,
      (await classify("followed@2", ["w1 w2"])).probabilities,
    );
    assert.ok(named.status === "rejected" && isError("NOT_FOUND")(named.reason));
  });

  it("never fails otherwise than with NOT_FOUND while a model is deleted", async () => {
    for (let round = 0; round < 10; round++) {
      const id = `passing-${round}`;
      await createRandomModel(stack, { id, rank: 4, labelCount: 2 });
      const asked = [1, 2, 3].map(async (turns) => {
        for (let turn = 0; turn < turns * round; turn++) await Promise.resolve();
        return classify(id, ["w1 w2"]);
      });
      const answers = Promise.allSettled(asked);
      await stack.creator.delete(operator, await modelNamed(stack, id));
      for (const answer of await answers)
        if (answer.status === "rejected")
          assert.ok(isError("NOT_FOUND")(answer.reason), String(answer.reason));
      await assert.rejects(versionOf(id), isError("NOT_FOUND"));
    }
  });
});

describe("an answer", () => {
  it("is the same among 200 concurrent requests of 20 models as alone", async () => {
    const models = Array.from({ length: 20 }, (_, index) => ({
      id: `many-${index}`,
      rank: index % 5 === 0 ? 0 : 1 + random.integer(64),
      labelCount: 2 + random.integer(9),
      deviation: 0.3,
    }));
    for (const model of models) await createRandomModel(stack, model);
    const requests = Array.from({ length: 200 }, () => ({
      model: models[random.integer(20)]?.id ?? "",
      texts: Array.from({ length: 1 + random.integer(4) }, () => textOf(1 + random.integer(25))),
    }));
    const ask = ({ model, texts }: (typeof requests)[number]) => classify(model, texts);
    const embeds = requests.slice(0, 50).map(({ texts }) => embed(texts));
    const together = await Promise.all(requests.map(ask));
    const embedded = await Promise.all(embeds);
    for (const [index, request] of requests.entries()) {
      const alone = await ask(request);
      const shared = together[index];
      assert.equal(shared?.model, request.model);
      assert.equal(shared.probabilities.length, request.texts.length);
      for (const [row, expected] of alone.probabilities.entries()) {
        const difference = maxDifference(expected, shared.probabilities[row] ?? []);
        assert.ok(difference <= 1e-5, `request ${index}, text ${row}: ${difference}`);
      }
      if (index >= embeds.length) continue;
      const own = await embed(request.texts);
      for (const [row, expected] of own.embeddings.entries())
        assert.ok(maxDifference(expected, embedded[index]?.embeddings[row] ?? []) <= 1e-5);
    }
  });

  it("is the same to the bit from a pool that must evict at every request", async () => {
    const models = [1, 2, 3].map((seed) => ({ id: `p${seed}`, rank: 16, labelCount: 3, seed }));
    // Room for one of them: two layers of 2·16·16 + 32 values and a head of 3·17, in float32.
    const tiny = await openStack({ folder, precision: "int8", poolBytes: 4 * 1300 });
    for (const target of [stack, tiny])
      for (const model of models) await createRandomModel(target, model);
    const texts = ["w1 w2 w3", "w9"];
    for (let round = 0; round < 3; round++)
      for (const { id } of models) {
        const resident = await classify(id, texts);
        const paged = await classify(id, texts, tiny);
        assert.deepEqual(paged.probabilities, resident.probabilities);
      }
    // All at once: each waits until another is answered.
    const all = await Promise.all(models.map(({ id }) => classify(id, texts, tiny)));
    for (const { model, probabilities } of all)
      assert.deepEqual(probabilities, (await classify(model, texts)).probabilities);
    await createRandomModel(tiny, { id: "large", rank: 64, labelCount: 3 });
    await assert.rejects(classify("large", texts, tiny), isError("UNSUPPORTED"));
    await tiny.close();
  });
});

describe("token ids", () => {
  it("as the base's tokenizer makes them give the text's own vector", async () => {
    // w0 is the sixth token of the vocabulary, behind [CLS] = 2 and before [SEP] = 3.
    const [text] = (await embed(["w0 w3"])).embeddings;
    const ids = await embed([[2, 5, 8, 3]]);
    assert.deepEqual(ids.embeddings, [text]);
    assert.deepEqual(ids.isTruncated, [false]);
  });

  it("of another vocabulary are refused with the remedy", async () => {
    const remedy = /send texts instead; .*check_embedding_ctx_length=False/;
    for (const ids of [
      [9906, 1917],
      [5, 8],
      [2, 8],
    ])
      await assert.rejects(embed([[2, 5, 3], ids]), {
        code: "INVALID_ARGUMENT",
        field: "input[1]",
        message: remedy,
      });
  });
});

describe("a version whose blob is not what it says", () => {
  const text = ["w1 w2 w3"];

  /** A model of two labels and rank 4 with another blob, as no creator would make it. */
  async function writeWrong(id: string, size: Omit<RandomModel, "id">, spoil?: number) {
    const { blobs, catalog } = stack.store;
    const right = await createRandomModel(stack, { id, rank: 4, labelCount: 2 });
    const tensors = [...randomTensors(stack.checkpoint, size)].map(
      ([name, { shape, values }]) =>
        [name, { shape, values: spoil === undefined ? values : values.fill(spoil) }] as const,
    );
    const blob = await blobs.put(encodeSafetensors(new Map(tensors)));
    await catalog.of(operator).versions.insert({ ...right, number: 2, blob }, { isServed: true });
  }

  it("is CORRUPT by name, and harms none of 100 requests of a neighbour", async () => {
    await writeWrong("wrong-labels", { rank: 4, labelCount: 7 });
    await writeWrong("wrong-rank", { rank: 9, labelCount: 2 });
    await writeWrong("no-adapter", { rank: 0, labelCount: 2 });
    await writeWrong("nan", { rank: 4, labelCount: 2 }, NaN);
    await writeWrong("overflow", { rank: 4, labelCount: 2 }, 3e38);
    await createRandomModel(stack, { id: "healthy", rank: 4, labelCount: 3 });
    const alone = await classify("healthy", text);
    const bad = ["wrong-labels", "wrong-rank", "no-adapter", "nan", "overflow"];
    const asked = Array.from({ length: 100 }, (_, index) => [
      classify("healthy", text),
      classify(bad[index % bad.length] ?? "", text),
    ]);
    for (const [healthy, wrong] of await Promise.all(
      asked.map((pair) => Promise.allSettled(pair)),
    )) {
      assert.ok(healthy?.status === "fulfilled", "the neighbour is answered");
      const [row = []] = healthy.value.probabilities;
      assert.ok(maxDifference(row, alone.probabilities[0] ?? []) <= 1.2e-7);
      assert.ok(wrong?.status === "rejected" && isError("CORRUPT")(wrong.reason));
      assert.match(String(wrong.reason), /Cannot answer with .*"(wrong|no-ad|nan|overflow)/);
    }
  });
});

describe("a version that does not fit the base", () => {
  it("is refused by name before its weights are read", async () => {
    const { versions } = stack.store.catalog.of(operator);
    const right = await createRandomModel(stack, { id: "misfit", rank: 4, labelCount: 2 });
    const absent = `sha256:${"0".repeat(64)}` as const;
    const serve = (change: Partial<Version>, number: number): Promise<void> =>
      versions.insert({ ...right, blob: absent, ...change, number }, { isServed: true });
    await serve({ form: "hierarchical" }, 2);
    await assert.rejects(classify("misfit@2", ["w1"]), {
      code: "CONFLICT",
      message: /^Cannot answer with version 2 of "misfit": it was fitted on the hierarchical form/,
    });
    await serve({ adapter: { kind: "bottleneck", rank: 4, layers: [7] } }, 3);
    await assert.rejects(classify("misfit@3", ["w1"]), {
      code: "CORRUPT",
      message: /^Cannot answer with version 3 of "misfit": its adapter acts in layers 7/,
    });
  });
});

describe("a full queue", () => {
  it("refuses with a time to retry, forgets the cancelled, and answers the others", async () => {
    const bulk = Array.from({ length: 2048 }, () => "w1 w2 w3");
    const abort = new AbortController();
    const outcomes = Promise.allSettled(
      [1, 2, 3, 4, 5].map(() => embed(bulk, { signal: abort.signal })),
    );
    const single = embed(["w4"]);
    // Four requests fill the queue; the fifth is refused, at the door or behind the tokenizer.
    const fast = await single.then(
      () => "answered",
      (error: unknown) => (error instanceof StrataError ? error.code : "?"),
    );
    assert.ok(fast === "answered" || fast === "OVERLOADED", fast);
    abort.abort();
    const codes = (await outcomes).map((outcome) =>
      outcome.status === "fulfilled"
        ? "answered"
        : outcome.reason instanceof StrataError
          ? `${outcome.reason.code} ${(outcome.reason.retryAfterMs ?? 0) > 0}`
          : String(outcome.reason),
    );
    assert.ok(codes.includes("OVERLOADED true"), codes.join());
    assert.ok(codes.includes("CANCELLED false"), codes.join());
    const left = codes.filter((code) => !/^(OVERLOADED true|CANCELLED false|answered)$/.test(code));
    assert.deepEqual(left, []);
    const after = await embed(bulk);
    assert.equal(after.embeddings.length, 2048);
  });

  it("answers nothing to a signal that was aborted before", async () => {
    const signal = AbortSignal.abort();
    await assert.rejects(embed(["w1"], { signal }), isError("CANCELLED"));
  });
});

describe("inputs past a limit", () => {
  const refused: readonly (readonly [string, readonly (readonly number[])[]])[] = [
    ["an unknown id", [[2, 45, 3]]],
    ["too many ids", [Array.from({ length: 33 }, () => 5)]],
    ["ids without special tokens", [[5, 6]]],
    ["ids that are padded", [[2, 5, 3, 0]]],
    ["ids of two texts", [[2, 5, 3, 6, 3]]],
  ];
  for (const [what, inputs] of refused)
    it(`are refused with their place: ${what}`, async () => {
      const { message, code, field } = await embed(inputs).then(
        () => assert.fail("it was answered"),
        (error: unknown) => (error instanceof StrataError ? error : assert.fail(String(error))),
      );
      assert.ok(code === "INVALID_ARGUMENT" || code === "CONTEXT_LENGTH", code);
      assert.match(field ?? "", /^input/);
      assert.match(message, /^Cannot read "input/);
    });

  it("are cut to the model's tokens, or refused when the caller wants that", async () => {
    const long = textOf(100);
    const { tokenCount, isTruncated } = await embed(["w1", long]);
    assert.equal(tokenCount, 3 + 32);
    assert.deepEqual(isTruncated, [false, true]);
    const refusal = embed(["w1", long], { truncate: false });
    await assert.rejects(refusal, { code: "CONTEXT_LENGTH", field: "input[1]" });
    // A text that was sent by itself has no place in a list.
    const single = embed([long], { truncate: false, isSingle: true });
    const message = /^Cannot read "input": expected at most 32 tokens, got more$/;
    await assert.rejects(single, { code: "CONTEXT_LENGTH", field: "input", message });
  });
});

describe("a model that is asked for what is not its task", () => {
  it("is told by the words of what was asked", () => {
    const base = { kind: "base", base: "tiny" } as const;
    const messages = {
      "text-classification": /^Cannot classify with "tiny": it is a base model and has no task$/,
      "token-classification": /^Cannot find entities with "tiny": it is a base model/,
    } as const;
    for (const task of taskNames)
      assert.throws(() => checkTask(base, task, "tiny"), {
        field: "model",
        message: messages[task],
      });
  });
});
