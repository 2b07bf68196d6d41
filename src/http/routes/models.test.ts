/** Checks that making models ends with its client and its deadline, and that lists are whole. */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { Answer, Api } from "../../contract/contract.ts";
import type { WireError } from "../../contract/wire-error.ts";
import type { FileObject } from "../../contract/files.ts";
import type { Model } from "../../contract/models.ts";
import { operator } from "../../entities/caller.ts";
import { type Clock, systemClock } from "../../foundation/clock.ts";
import { limits } from "../../foundation/limits.ts";
import { createHttp, type Http } from "../http.ts";
import { standInKey, standInServices, stuckText } from "../exam-services.ts";

type ModelPage = Answer<Api["GET /v1/models"]>;
type VersionPage = Answer<Api["GET /v1/models/{id}/versions"]>;

const authorization = `Bearer ${standInKey}`;

const stuckLines = `text,label\na,x\nb,${stuckText}\nc,x\nd,${stuckText}\n`;

async function upload(http: Http, content = stuckLines, purpose = "fine-tune"): Promise<string> {
  const body = new FormData();
  body.append("purpose", purpose);
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
  assert.equal(await services.store.catalog.of(operator).models.get("new"), undefined);
});

test("a model is made with its file's labels, or refused by what is wrong with them", async () => {
  const services = await standInServices(systemClock);
  const http = createHttp(services);
  const faults: readonly (readonly [string, RegExp])[] = [
    ["", /^Cannot train on "a.csv": it is empty$/],
    ["text,label\n,x\n", /^Cannot train on "a.csv": 1 of 1 rows cannot be used: line 2: /],
    ["text,label\na,x\n", /expected at least 2 labels, got 1 \("x"\)$/],
    ["text,label\na,x\nb,y\n", /expected at least 2 examples of each label/],
  ];
  for (const [content, message] of faults) {
    // What is no training data is not looked through when it comes.
    const response = await create(http, await upload(http, content, "user_data"));
    assert.equal(response.status, 400);
    const { error } = (await response.json()) as WireError; // What a refusal answers.
    assert.equal(error.param, "training_file");
    assert.match(error.message, message);
    assert.equal(await services.store.catalog.of(operator).models.get("new"), undefined);
  }
  assert.equal((await create(http, "file-none")).status, 404);
  const file = await upload(http, "text,label\na,x\nb,y\nc,x\nd,y\n", "user_data");
  assert.equal((await create(http, file)).status, 200);
  assert.deepEqual((await services.store.catalog.of(operator).models.get("new"))?.labels, [
    "x",
    "y",
  ]);
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
  assert.equal(await services.store.catalog.of(operator).models.get("new"), undefined);
});

test("a client that reads one page alone sees all of ten thousand models", async () => {
  const services = await standInServices(systemClock);
  const { models } = services.store.catalog.of(operator);
  const like = await models.get("spam");
  assert.ok(like);
  for (let index = 0; index < 10_000; index++) await models.insert({ ...like, id: `m${index}` });
  const request = new Request("http://local/v1/models", { headers: { authorization } });
  const page = (await (await createHttp(services).fetch(request)).json()) as ModelPage; // As above.
  // With the base and the model that the stand-ins bring.
  assert.equal(page.data.length, 10_002);
  assert.equal(page.has_more, false);
});

test("damaged weights are named where a model is shown, then where it is listed", async () => {
  const services = await standInServices(systemClock);
  const http = createHttp(services);
  const get = async <T>(path: string): Promise<T> => {
    const request = new Request(`http://local/v1/models${path}`, { headers: { authorization } });
    return (await (await http.fetch(request)).json()) as T; // The caller names the route's answer.
  };
  const listed = async (): Promise<string | null | undefined> => {
    const { data } = await get<ModelPage>("");
    const facts = data.find(({ id }) => id === "spam")?.strata;
    return facts?.kind === "vplm" ? facts.fault : undefined;
  };
  const shown = async (): Promise<string | null | undefined> => {
    const { strata } = await get<Model>("/spam");
    return strata.kind === "vplm" ? strata.fault : undefined;
  };
  const faultOfVersion = async (): Promise<string | null | undefined> =>
    (await get<VersionPage>("/spam/versions")).data[0]?.fault;
  assert.deepEqual([await shown(), await faultOfVersion(), await listed()], [null, null, null]);
  const { blobs, catalog } = services.store;
  const [version] = await catalog
    .of(operator)
    .versions.list((await catalog.of(operator).models.get("spam"))?.incarnation ?? "vplm-", {
      limit: 1,
    });
  assert.ok(version !== undefined);
  const bytes = await blobs.get(version.blob);
  await blobs.remove(version.blob);
  // Nobody has read it yet: a list reads nothing.
  assert.equal(await listed(), null);
  const fault = `Cannot read blob "${version.blob}": there is none`;
  assert.deepEqual([await shown(), await faultOfVersion(), await listed()], [fault, fault, fault]);
  await blobs.put(bytes);
  assert.deepEqual([await listed(), await shown(), await faultOfVersion()], [null, null, null]);
});
