/** What the unmodified `openai` package must find, whatever stands behind the server. */
import assert from "node:assert/strict";
import { test } from "node:test";
import OpenAI, { APIError, AuthenticationError, BadRequestError, NotFoundError } from "openai";
import { RateLimitError, toFile } from "openai";

export interface ExaminedServer {
  readonly url: string;
  readonly apiKey: string;
  /** A base that is there, and the length of its embeddings. */
  readonly base: string;
  readonly dimensions: number;
  /** A text that meets a full queue, where one can be had. */
  readonly overloadingText?: string;
}

const lines = Array.from({ length: 40 }, (_, index) => {
  const label = index % 2 === 0 ? "ham" : "spam";
  const text = label === "ham" ? `lunch at noon, table ${index}` : `win ${index} dollars now`;
  return JSON.stringify({ text, label });
});

const purpose = "fine-tune";

/** Registers the tests; `server` is started by a `before` hook of the caller. */
export function examineWithOpenAi(server: () => ExaminedServer): void {
  const client = (): OpenAI =>
    new OpenAI({ baseURL: `${server().url}/v1`, apiKey: server().apiKey, maxRetries: 0 });
  const upload = () =>
    toFile(Buffer.from(lines.join("\n")), "mails.jsonl").then((file) =>
      client().files.create({ file, purpose }),
    );

  test("models: list and retrieve", async () => {
    const { base } = server();
    const listed = [];
    for await (const model of client().models.list()) listed.push(model);
    const found = listed.find(({ id }) => id === base);
    assert.equal(found?.object, "model");
    assert.equal(found.owned_by, "strata");
    assert.ok(Number.isInteger(found.created));
    assert.deepEqual(await client().models.retrieve(base), found);
  });

  test("files: create, retrieve, list, content, delete", async () => {
    const file = await upload();
    assert.match(file.id, /^file-/);
    assert.equal(file.object, "file");
    assert.equal(file.filename, "mails.jsonl");
    assert.equal(file.purpose, purpose);
    assert.equal(file.bytes, Buffer.byteLength(lines.join("\n")));
    assert.deepEqual(await client().files.retrieve(file.id), file);
    const ids = [];
    for await (const { id } of client().files.list({ purpose, limit: 1 })) ids.push(id);
    assert.ok(ids.includes(file.id));
    const content = await client().files.content(file.id);
    assert.equal(await content.text(), lines.join("\n"));
    assert.deepEqual(await client().files.delete(file.id), {
      id: file.id,
      object: "file",
      deleted: true,
    });
    await assert.rejects(client().files.retrieve(file.id), NotFoundError);
  });

  test("files: training data without a usable line is refused by line", async () => {
    const file = await toFile(Buffer.from('{"text":"a"}\nno json\n'), "bad.jsonl");
    await assert.rejects(client().files.create({ file, purpose }), (error) => {
      assert.ok(error instanceof BadRequestError);
      assert.match(error.message, /line 1: .*line 2: /);
      return true;
    });
  });

  test("jobs: a finished one gives a model that answers and can be deleted", async () => {
    const file = await upload();
    const { base } = server();
    const job = await client().fineTuning.jobs.create({
      model: base,
      training_file: file.id,
      suffix: "mails",
      seed: 7,
      method: {
        type: "supervised",
        supervised: { hyperparameters: { n_epochs: 1, learning_rate_multiplier: 0.3 } },
      },
      metadata: { team: "post" },
    });
    assert.match(job.id, /^ftjob-/);
    assert.equal(job.object, "fine_tuning.job");
    assert.equal(job.model, base);
    assert.equal(job.fine_tuned_model, null);
    assert.equal(job.finished_at, null);
    assert.equal(job.error, null);
    assert.equal(job.hyperparameters.n_epochs, 1);
    assert.equal(job.hyperparameters.learning_rate_multiplier, 0.3);
    assert.equal(job.seed, 7);
    assert.equal(job.validation_file, null);
    assert.deepEqual(job.metadata, { team: "post" });

    const finished = await waitFor(client(), job.id);
    assert.equal(finished.status, "succeeded");
    assert.ok((finished.trained_tokens ?? 0) > 0);
    assert.ok((finished.finished_at ?? 0) >= finished.created_at);
    const model = finished.fine_tuned_model ?? "";
    assert.match(model, new RegExp(`^ft:${base}:strata:mails:[A-Za-z0-9]+$`));
    assert.equal((await client().models.retrieve(model)).id, model);
    const { data } = await client().embeddings.create({ model, input: "win a lot" });
    assert.equal(data[0]?.embedding.length, server().dimensions);

    const events = [];
    for await (const event of client().fineTuning.jobs.listEvents(job.id, { limit: 1 }))
      events.push(event);
    assert.ok(events.length >= 2);
    assert.ok(
      events.every(({ id, object }) => id.startsWith("ftevent-") && object === eventObject),
    );
    assert.equal(new Set(events.map(({ id }) => id)).size, events.length);

    assert.equal((await client().models.delete(model)).deleted, true);
    await assert.rejects(client().models.retrieve(model), isModelNotFound);
  });

  test("jobs: list by pages, cancel once", async () => {
    const file = await upload();
    const body = { model: server().base, training_file: file.id };
    const first = await client().fineTuning.jobs.create(body);
    const second = await client().fineTuning.jobs.create(body);
    const cancelled = await client().fineTuning.jobs.cancel(second.id);
    assert.equal((await waitFor(client(), second.id)).status, "cancelled");
    assert.equal(cancelled.id, second.id);
    await assert.rejects(client().fineTuning.jobs.cancel(second.id), (error) => {
      assert.ok(error instanceof APIError);
      assert.equal(error.status, 409);
      return true;
    });
    const ids = [];
    for await (const { id } of client().fineTuning.jobs.list({ limit: 1 })) ids.push(id);
    assert.ok(ids.indexOf(second.id) >= 0 && ids.indexOf(second.id) < ids.indexOf(first.id));
    await waitFor(client(), first.id);
  });

  test("jobs: list by metadata", async () => {
    const file = await upload();
    const body = { model: server().base, training_file: file.id };
    const idOf = async (metadata: Record<string, string>): Promise<string> => {
      const { id } = await client().fineTuning.jobs.create({ ...body, metadata });
      await client().fineTuning.jobs.cancel(id);
      return id;
    };
    const both = await idOf({ team: "post", "cost centre": "a&b" });
    const other = await idOf({ team: "rail" });
    const listed = async (metadata: Record<string, string>): Promise<string[]> => {
      const ids = [];
      for await (const { id } of client().fineTuning.jobs.list({ metadata, limit: 1 }))
        ids.push(id);
      return ids;
    };
    assert.deepEqual(await listed({ team: "rail" }), [other]);
    assert.deepEqual(await listed({ team: "post", "cost centre": "a&b" }), [both]);
    assert.deepEqual(await listed({ team: "rail", "cost centre": "a&b" }), []);
  });

  test("embeddings: base64, which the client asks for, holds what float says", async () => {
    const { base: model, dimensions } = server();
    const input = ["one text", "and another"];
    const packed = await client().embeddings.create({ model, input });
    const plain = await client().embeddings.create({ model, input, encoding_format: "float" });
    assert.equal(packed.object, "list");
    assert.ok(packed.usage.prompt_tokens > 0);
    assert.deepEqual(
      packed.data.map(({ index }) => index),
      [0, 1],
    );
    for (const [index, { embedding }] of packed.data.entries()) {
      assert.equal(embedding.length, dimensions);
      assert.ok(Math.abs(Math.hypot(...embedding) - 1) < 1e-5);
      // The client decodes into 32-bit floats.
      assert.deepEqual(
        Float32Array.from(embedding),
        Float32Array.from(plain.data[index]?.embedding ?? []),
      );
    }
    const cut = await client().embeddings.create({ model, input: "one text", dimensions: 4 });
    assert.equal(cut.data[0]?.embedding.length, 4);
    const wide = { model, input: "one text", dimensions: dimensions + 1 };
    await assert.rejects(client().embeddings.create(wide), BadRequestError);
    const tokens = await client().embeddings.create({
      model,
      input: [
        [2, 5, 3],
        [2, 3],
      ],
    });
    assert.equal(tokens.data.length, 2);
  });

  test("errors arrive as the client's classes", async () => {
    const { url, base: model, overloadingText } = server();
    const stranger = new OpenAI({ baseURL: `${url}/v1`, apiKey: "sk-wrong", maxRetries: 0 });
    await assert.rejects(stranger.models.retrieve(model), (error) => {
      assert.ok(error instanceof AuthenticationError);
      assert.equal(error.code, "invalid_api_key");
      return true;
    });
    await assert.rejects(
      client().embeddings.create({ model: "nobody", input: "a" }),
      isModelNotFound,
    );
    await assert.rejects(client().embeddings.create({ model, input: [] }), (error) => {
      assert.ok(error instanceof BadRequestError);
      assert.equal(error.type, "invalid_request_error");
      assert.equal(error.param, "input");
      assert.ok(error.requestID?.startsWith("req_"));
      return true;
    });
    await assert.rejects(client().models.delete(model), { status: 403 });
    if (overloadingText === undefined) return;
    const call = client().embeddings.create({ model, input: overloadingText });
    await assert.rejects(call, (error) => {
      assert.ok(error instanceof RateLimitError);
      assert.equal(error.code, "rate_limit_exceeded");
      assert.equal(error.headers.get("retry-after-ms"), "20");
      assert.equal(error.headers.get("retry-after"), "1");
      return true;
    });
  });
}

const eventObject = "fine_tuning.job.event";

async function waitFor(client: OpenAI, id: string) {
  for (;;) {
    const job = await client.fineTuning.jobs.retrieve(id);
    if (job.finished_at !== null) return job;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

function isModelNotFound(error: unknown): boolean {
  assert.ok(error instanceof NotFoundError);
  assert.equal(error.code, "model_not_found");
  return true;
}
