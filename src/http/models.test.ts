/** Checks that making models ends with its client and its deadline, and that lists are whole. */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { Answer, Api } from "../contract/contract.ts";
import type { FileObject } from "../contract/files.ts";
import { type Clock, systemClock } from "../foundation/clock.ts";
import { limits } from "../foundation/limits.ts";
import { createHttp, type Http } from "./http.ts";
import { standInKey, standInServices, stuckText } from "./stand-ins.ts";

type ModelPage = Answer<Api["GET /v1/models"]>;

const authorization = `Bearer ${standInKey}`;

async function upload(http: Http): Promise<string> {
  const body = new FormData();
  body.append("purpose", "fine-tune");
  const content = `text,label\na,x\nb,${stuckText}\nc,x\nd,${stuckText}\n`;
  body.append("file", new Blob([content]), "a.csv");
  const init = { method: "POST", headers: { authorization }, body };
  const response = await http.fetch(new Request("http://local/v1/files", init));
  return ((await response.json()) as FileObject).id; // What this route answers.
}

function create(http: Http, file: string, signal?: AbortSignal): Promise<Response> {
  const body = JSON.stringify({ id: "new", base: "tiny", training_file: file });
  const headers = { authorization, "content-type": "application/json" };
  const init = { method: "POST", headers, body, ...(signal !== undefined && { signal }) };
  return http.fetch(new Request("http://local/v1/models", init));
}

test("a client that goes away leaves no model, and room for others", async () => {
  const services = await standInServices(systemClock);
  const http = createHttp(services);
  const file = await upload(http);
  for (let round = 0; round < limits.instantFitCountMax + 1; round++) {
    const controller = new AbortController();
    const answer = create(http, file, controller.signal);
    for (let turn = 0; turn < 10; turn++) await new Promise((resolve) => setImmediate(resolve));
    controller.abort();
    assert.equal((await answer).status, 499);
  }
  assert.equal(await services.store.catalog.models.get("new"), undefined);
});

test("a model that takes too long to fit is given up", async () => {
  let fire = (): void => {};
  const clock: Clock = {
    ...systemClock,
    schedule: (delayMs, callback) => {
      if (delayMs === limits.modelCreationMsMax) fire = callback;
      return () => {};
    },
  };
  const services = await standInServices(clock);
  const http = createHttp(services);
  const answer = create(http, await upload(http));
  for (let turn = 0; turn < 10; turn++) await new Promise((resolve) => setImmediate(resolve));
  fire();
  assert.equal((await answer).status, 429);
  assert.equal(await services.store.catalog.models.get("new"), undefined);
});

test("a client that reads one page alone sees all of ten thousand models", async () => {
  const services = await standInServices(systemClock);
  const { models } = services.store.catalog;
  const like = await models.get("spam");
  assert.ok(like);
  for (let index = 0; index < 10_000; index++) await models.insert({ ...like, id: `m${index}` });
  const request = new Request("http://local/v1/models", { headers: { authorization } });
  const page = (await (await createHttp(services).fetch(request)).json()) as ModelPage; // As above.
  // With the base and the model that the stand-ins bring.
  assert.equal(page.data.length, 10_002);
  assert.equal(page.has_more, false);
});
