/** The typed client against a server on a socket, before components that are stood in for. */
import assert from "node:assert/strict";
import { getEventListeners, once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { after, before, test } from "node:test";
import { Client } from "./client.ts";
import { operator } from "../entities/caller.ts";
import { digestOf } from "../foundation/digest.ts";
import { systemClock } from "../foundation/clock.ts";
import { createHttp } from "../http/http.ts";
import { listen, type Listener } from "../listener/listener.ts";
import { overloadingText, standInKey, standInServices, stuckText } from "../http/exam-services.ts";

let listener: Listener;
let client: Client;

before(async () => {
  const services = await standInServices(systemClock);
  listener = await listen(createHttp(services), { clock: systemClock, port: 0 });
  client = new Client({ baseUrl: `${listener.url}/`, apiKey: standInKey });
});

after(() => listener.close());

test("uploads, creates at once, waits for a job and reads the bytes", async () => {
  const lines = ["text,label", ...["a,x", "b,y", "c,x", "d,y"]].join("\n");
  const file = await client.uploadFile(Buffer.from(lines), "my data.csv");
  assert.equal(Buffer.from(await client.fileContent(file.id)).toString(), lines);
  const model = await client.createModel({ id: "mine", base: "tiny", training_file: file.id });
  assert.deepEqual(model.strata, {
    kind: "vplm",
    task: "text-classification",
    labels: ["x", "y"],
    version: 1,
    fault: null,
  });
  const job = await client.createJob({ model: "mine", training_file: file.id });
  const messages: string[] = [];
  const finished = await client.waitForJob(job.id, {
    clock: systemClock,
    pollMs: 20,
    onEvent: ({ message }) => messages.push(message),
  });
  assert.equal(finished.fine_tuned_model, "mine");
  assert.deepEqual(messages, ["The job is queued", "The job has succeeded"]);
  const versions = await client.versions("mine");
  assert.deepEqual(
    versions.map(({ version, is_served: isServed }) => [version, isServed]),
    [
      [1, false],
      [2, true],
    ],
  );
  const served = await client.serveVersion("mine", 1);
  assert.equal(served.strata.kind === "vplm" && served.strata.version, 1);
  const wrong = client.serveVersion("mine", 9);
  await assert.rejects(wrong, { code: "NOT_FOUND" });
});

test("lists of jobs and events go on over all pages, newest first", async () => {
  const services = await standInServices(systemClock);
  const { jobs, events, files } = services.store.catalog.of(operator);
  const blob = digestOf("a");
  const row = { filename: "a", purpose: "fine-tune", bytes: 1, blob, createdAt: 0 };
  await files.insert({ ...row, id: "file-1", task: undefined, faultSummary: undefined });
  const job = await services.trainer.submit(operator, { model: "spam", trainingFile: "file-1" });
  for (let index = 0; index < 250; index++) {
    await jobs.insert({ ...job, id: `ftjob-${index}` });
    const event = { job: "ftjob-0", level: "info", type: "message", values: {} } as const;
    const message = `event ${index}`;
    await events.append({ ...event, id: `ftevent-${index}`, message, createdAt: index });
  }
  const long = await listen(createHttp(services), { clock: systemClock, port: 0 });
  const reader = new Client({ baseUrl: long.url, apiKey: standInKey });
  const found: string[] = [];
  for await (const { id } of reader.jobs()) found.push(id);
  const newestFirst = Array.from({ length: 250 }, (_, index) => 249 - index);
  assert.deepEqual(found, [...newestFirst.map((index) => `ftjob-${index}`), job.id]);
  const messages: string[] = [];
  for await (const { message } of reader.jobEvents("ftjob-0")) messages.push(message);
  assert.deepEqual(
    messages,
    newestFirst.map((index) => `event ${index}`),
  );
  await long.close();
});

test("events say of what kind they are, and name the scores of held-out texts", async () => {
  const services = await standInServices(systemClock);
  const { jobs, events, files } = services.store.catalog.of(operator);
  const row = { filename: "a", purpose: "fine-tune", bytes: 1, blob: digestOf("a"), createdAt: 0 };
  await files.insert({ ...row, id: "file-1", task: undefined, faultSummary: undefined });
  const job = await services.trainer.submit(operator, { model: "spam", trainingFile: "file-1" });
  await jobs.insert({ ...job, id: "ftjob-told" });
  const said = { job: "ftjob-told", level: "info", message: "said", createdAt: 0 } as const;
  const step = { step: 3, valid_f1: 0.5, train_loss: 1 };
  await events.append({ ...said, id: "ftevent-b", type: "metrics", values: step });
  await events.append({ ...said, id: "ftevent-c", type: "instant_version", values: {} });
  const server = await listen(createHttp(services), { clock: systemClock, port: 0 });
  const reader = new Client({ baseUrl: server.url, apiKey: standInKey });
  const told: unknown[] = [];
  for await (const { type, data, strata } of reader.jobEvents("ftjob-told"))
    told.push({ type, data, strata });
  assert.deepEqual(told, [
    { type: "message", data: {}, strata: { kind: "instant_version", scores: [] } },
    {
      type: "metrics",
      data: step,
      strata: { kind: "metrics", scores: [{ name: "f1", value: 0.5 }] },
    },
  ]);
  await server.close();
});

test("errors keep code, field and retry time", async () => {
  const stranger = new Client({ baseUrl: listener.url, apiKey: "wrong" });
  await assert.rejects(stranger.model("spam"), { code: "UNAUTHENTICATED" });
  await assert.rejects(client.model("nobody"), { code: "NOT_FOUND", field: "model" });
  const classify = (input: string, truncate = true) =>
    client.classify({ model: "spam", input, truncate });
  await assert.rejects(classify(""), { code: "INVALID_ARGUMENT", field: "input" });
  await assert.rejects(classify("a ".repeat(99), false), { code: "CONTEXT_LENGTH" });
  await assert.rejects(classify(overloadingText), { code: "OVERLOADED", retryAfterMs: 20 });
  const taken = client.createModel({ id: "spam", base: "tiny", labels: ["a", "b"] });
  await assert.rejects(taken, { code: "ALREADY_EXISTS" });
  const gone = await listen(createHttp(await standInServices(systemClock)), {
    clock: systemClock,
    port: 0,
  });
  await gone.close();
  const nowhere = new Client({ baseUrl: gone.url, apiKey: standInKey });
  await assert.rejects(nowhere.model("spam"), { code: "UNAVAILABLE", message: /ECONNREFUSED/ });
});

test("only what changes nothing is asked once more after a reset", async (t) => {
  const asked: string[] = [];
  const server = createServer(({ method, socket }, response) => {
    asked.push(`${method}`);
    // The first call of each method since the last look finds its connection closed.
    if (asked.filter((other) => other === method).length <= 1) socket.destroy();
    else response.setHeader("content-type", "application/json").end("{}");
  }).listen(0, "127.0.0.1");
  t.after(() => server.close());
  await once(server, "listening");
  const { port } = server.address() as AddressInfo; // It listens on a port.
  const caller = new Client({ baseUrl: `http://127.0.0.1:${port}`, apiKey: "any" });
  assert.deepEqual(await caller.model("mine"), {});
  assert.deepEqual(asked.splice(0), ["GET", "GET"]);
  assert.deepEqual(await caller.classify({ model: "mine", input: "a" }), {});
  assert.deepEqual(asked.splice(0), ["POST", "POST"]);
  const job = caller.createJob({ model: "mine", training_file: "file-1" });
  await assert.rejects(job, { code: "UNAVAILABLE" });
  await assert.rejects(caller.deleteModel("mine"), { code: "UNAVAILABLE" });
  assert.deepEqual(asked.splice(0), ["POST", "DELETE"]);
});

test("who resets every connection is not asked a third time", async (t) => {
  let askedCount = 0;
  const server = createServer(({ socket }) => {
    askedCount += 1;
    socket.destroy();
  }).listen(0, "127.0.0.1");
  t.after(() => server.close());
  await once(server, "listening");
  const { port } = server.address() as AddressInfo; // It listens on a port.
  const caller = new Client({ baseUrl: `http://127.0.0.1:${port}`, apiKey: "any" });
  await assert.rejects(caller.model("mine"), { code: "UNAVAILABLE" });
  assert.equal(askedCount, 2);
});

test("a call and a wait end when their signal says so", async () => {
  const controller = new AbortController();
  const stuck = client.classify({ model: "spam", input: stuckText }, controller.signal);
  controller.abort();
  await assert.rejects(stuck, { code: "CANCELLED" });
  const file = await client.uploadFile(Buffer.from("text,label\na,x\nb,y\n"), "two.csv");
  const job = await client.createJob({ model: "tiny", training_file: file.id });
  const waiting = new AbortController();
  const wait = client.waitForJob(job.id, {
    clock: systemClock,
    pollMs: 60_000,
    signal: waiting.signal,
    onEvent: () => queueMicrotask(() => waiting.abort()),
  });
  await assert.rejects(wait, { code: "CANCELLED" });
});

test("a signal that many calls share is listened to by none of them afterwards", async () => {
  const { signal } = new AbortController();
  for (let call = 0; call < 5; call++)
    await client.classify({ model: "spam", input: "hello" }, signal);
  assert.equal(getEventListeners(signal, "abort").length, 0);
});

test("models come page after page, each once", async () => {
  const ids = Array.from({ length: 12 }, (_, index) => `many-${index}`);
  const derived = await client.deriveModels("spam", { ids, noise: 0.1, seed: 3 });
  assert.deepEqual(
    derived.map(({ id }) => id),
    ids,
  );
  const listed = [];
  for await (const { id } of client.models()) listed.push(id);
  assert.deepEqual(listed.slice(0, 2), ["tiny", "spam"]);
  // The job of another test may add a model in between.
  assert.deepEqual(
    listed.filter((id) => id.startsWith("many-")),
    ids,
  );
  assert.equal(new Set(listed).size, listed.length);
});
