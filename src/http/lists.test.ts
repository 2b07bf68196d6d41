/** Checks that lists are whole, bounded, and leave the thread to others. */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { Answer, Api } from "../contract/contract.ts";
import { operator } from "../entities/caller.ts";
import { systemClock } from "../foundation/clock.ts";
import { limits } from "../foundation/limits.ts";
import type { Store } from "../storage/storage.ts";
import { createHttp, type Http } from "./http.ts";
import { rowsOf } from "./paging.ts";
import { standInKey, standInServices } from "./exam-services.ts";

type ModelPage = Answer<Api["GET /v1/models"]>;
type VersionPage = Answer<Api["GET /v1/models/{id}/versions"]>;
type ClassifyAnswer = Answer<Api["POST /v1/classify"]>;

async function get<T>(http: Http, path: string): Promise<T> {
  const headers = { authorization: `Bearer ${standInKey}` };
  const response = await http.fetch(new Request(`http://local${path}`, { headers }));
  assert.equal(response.status, 200);
  return (await response.json()) as T; // What the route answers.
}

const longLabels = Array.from({ length: limits.labelCountMax }, (_, index) =>
  `${index}-`.padEnd(limits.labelCharactersMax, "x"),
);

async function addModels(store: Store, ids: readonly string[], labels: readonly string[]) {
  const { models, versions } = store.catalog.of(operator);
  const like = await models.get("spam");
  const version = like && (await versions.get(like.incarnation, like.servedVersion ?? 0));
  assert.ok(like !== undefined && version !== undefined);
  const rows = ids.map((id, index) => {
    const incarnation = `vplm-${index}` as const;
    return {
      model: { ...like, id, incarnation, labels },
      version: { ...version, labels, model: incarnation },
    };
  });
  await versions.insertWithModels(rows);
}

test("a list shows the first labels and their count, the model itself all", async () => {
  const services = await standInServices(systemClock);
  const http = createHttp(services);
  await addModels(services.store, ["wide"], longLabels);
  const { data } = await get<ModelPage>(http, "/v1/models?after=spam");
  const facts = data[0]?.strata;
  assert.ok(facts?.kind === "vplm");
  assert.deepEqual(facts.labels, longLabels.slice(0, 8));
  assert.equal(facts.label_count, limits.labelCountMax);
  const { strata } = await get<{ strata: object }>(http, "/v1/models/wide");
  assert.deepEqual(strata, {
    kind: "vplm",
    task: "text-classification",
    labels: longLabels,
    version: 1,
    fault: null,
  });
});

test("a page ends at its bytes, says so, and the next one goes on", async () => {
  const services = await standInServices(systemClock);
  const { store } = services;
  const wide = (index: number): string => `wide-${index}`;
  const count = Math.ceil((1.5 * limits.listBytesMax) / limits.listedLabelCharactersMax);
  const ids = Array.from({ length: count }, (_, index) => wide(index));
  await addModels(store, ids, longLabels.slice(0, 8));
  const http = createHttp(services);
  const seen: string[] = [];
  let pageCount = 0;
  for (let after = "spam"; ;) {
    const page = await get<ModelPage>(http, `/v1/models?after=${after}`);
    const text = JSON.stringify(page);
    assert.ok(text.length < limits.listBytesMax + 1_000, `${text.length}`);
    assert.equal(page.first_id, page.data[0]?.id);
    assert.equal(page.last_id, page.data.at(-1)?.id);
    seen.push(...page.data.map(({ id }) => id));
    pageCount += 1;
    if (!page.has_more) break;
    after = page.last_id ?? "";
  }
  assert.equal(pageCount, 2);
  assert.deepEqual(seen, ids);
});

test("others have turns while a long list is written", async () => {
  const services = await standInServices(systemClock);
  const ids = Array.from({ length: 3_000 }, (_, index) => `wide-${index}`);
  await addModels(services.store, ids, longLabels.slice(0, 8));
  const http = createHttp(services);
  let turnCount = 0;
  const looking = setInterval(() => (turnCount += 1), 0);
  await get<ModelPage>(http, "/v1/models");
  clearInterval(looking);
  // 7 MB in pieces of 64 KiB.
  assert.ok(turnCount > 30, `${turnCount} turns`);
});

test("rows that go while they are listed are no error, none is lost or told twice", async () => {
  const { store } = await standInServices(systemClock);
  const ids = Array.from({ length: 100 }, (_, index) => `m${index}`);
  await addModels(store, ids, ["a", "b"]);
  const { models } = store.catalog.of(operator);
  const seen: string[] = [];
  for await (const { id } of rowsOf(models, systemClock, { after: "spam" })) {
    seen.push(id);
    // The last rows of the first reading, the one after which the next begins among them.
    if (seen.length === 14) for (const gone of ids.slice(10, 16)) await models.delete(gone);
  }
  assert.deepEqual(seen.slice(0, 16), ids.slice(0, 16));
  assert.deepEqual(seen.slice(16), ids.slice(16));
  await assert.rejects(rowsOf(models, systemClock, { after: "nobody" }).next(), { field: "after" });
});

test("a long answer is streamed whole, and one that nobody could read is refused", async () => {
  const services = await standInServices(systemClock);
  const { models, versions } = services.store.catalog.of(operator);
  const [short] = await versions.list((await models.get("spam"))?.incarnation ?? "vplm-none", {
    limit: 100,
  });
  assert.ok(short !== undefined);
  await versions.insert({ ...short, number: 2, labels: longLabels }, { isServed: true });
  const http = createHttp(services);
  const ask = (scoreCount: number, count: number): Promise<Response> => {
    const input = Array.from({ length: count }, (_, index) => `text ${index}`);
    const body = JSON.stringify({ model: "spam", input, top_k: scoreCount });
    const authorization = `Bearer ${standInKey}`;
    const headers = { authorization, "content-type": "application/json" };
    return http.fetch(new Request("http://local/v1/classify", { method: "POST", headers, body }));
  };
  const response = await ask(limits.labelCountMax, 10);
  const answer = (await response.json()) as ClassifyAnswer; // What the route answers.
  assert.deepEqual(
    answer.data.map(({ index }) => index),
    [0, 1, 2, 3, 4, 5, 6, 7, 8, 9],
  );
  for (const { scores, label } of answer.data) {
    assert.equal(label, scores[0]?.label);
    assert.deepEqual(scores.map((score) => score.label).toSorted(), longLabels.toSorted());
  }
  assert.equal(answer.usage.prompt_tokens, 20);
  const refused = await ask(limits.labelCountMax, limits.inputCountMax);
  assert.equal(refused.status, 400);
  assert.match(await refused.text(), /2048 texts with 1000 scores.*268435456.*"param":"top_k"/);
});

test("a version tells its figure by name, and whether it was served when published", async () => {
  const services = await standInServices(systemClock);
  const { models, versions } = services.store.catalog.of(operator);
  const incarnation = (await models.get("spam"))?.incarnation ?? "vplm-none";
  const first = await versions.get(incarnation, 1);
  assert.ok(first !== undefined);
  const metrics = { devF1: 0.75, devF1Low: 0.5, devF1High: 0.875, devCount: 12 };
  const entities = { task: "token-classification", metrics, outcome: "not_served" } as const;
  await versions.insert({ ...first, ...entities, number: 2 }, { isServed: false });
  const old = { metrics: {}, outcome: undefined };
  await versions.insert({ ...first, ...old, number: 3 }, { isServed: false });
  const page = await get<VersionPage>(createHttp(services), "/v1/models/spam/versions");
  assert.deepEqual(
    page.data.map(({ figure, outcome }) => [figure, outcome]),
    [
      [{ name: "accuracy", value: 0.5, low: null, high: null, count: null }, "served"],
      [{ name: "F1", value: 0.75, low: 0.5, high: 0.875, count: 12 }, "not_served"],
      [null, null],
    ],
  );
});
