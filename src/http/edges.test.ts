/** Checks who may call, what a browser is told, and fields that mean nothing or too much. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { WireError } from "../contract/wire-error.ts";
import { operator } from "../entities/caller.ts";
import { systemClock } from "../foundation/clock.ts";
import { limits } from "../foundation/limits.ts";
import { isLoopback } from "../foundation/loopback.ts";
import { hostCheck } from "./hosts.ts";
import { createHttp, type Http } from "./http.ts";
import type { Services } from "./services.ts";
import { standInKey, standInServices } from "./exam-services.ts";

const authorization = `Bearer ${standInKey}`;

interface Call {
  readonly json?: unknown;
  readonly headers?: Readonly<Record<string, string>>;
}

function call(http: Http, target: string, { json, headers = {} }: Call = {}): Promise<Response> {
  const [method = "", path = ""] = target.split(" ");
  const type = { "content-type": "application/json" };
  const body = json === undefined ? null : JSON.stringify(json);
  const init = { method, body, headers: { ...(body !== null && type), ...headers } };
  return http.fetch(new Request(`http://local${path}`, init));
}

async function httpWith(more: Partial<Services>): Promise<Http> {
  return createHttp({ ...(await standInServices(systemClock)), ...more });
}

async function errorOf(response: Response): Promise<WireError["error"]> {
  return ((await response.json()) as WireError).error; // What it holds is what the tests check.
}

describe("hosts", () => {
  test("a server on the loopback is called by its names only", async () => {
    const http = await httpWith({ checkHost: hostCheck("::1", ["Strata.local"]) });
    const statusFor = async (host: string): Promise<number> =>
      (await call(http, "GET /healthz", { headers: { host } })).status;
    for (const host of ["localhost:7860", "127.0.0.1", "[::1]:80", "STRATA.LOCAL:1", "LocalHost"])
      assert.equal(await statusFor(host), 200, host);
    for (const host of ["evil.example", "localhost.evil.example:7860", "127.0.0.1.evil", "::2", ""])
      assert.equal(await statusFor(host), 403, host);
    const { message, code } = await errorOf(
      await call(http, "GET /", { headers: { host: "evil.example:7860" } }),
    );
    assert.equal(code, "forbidden");
    assert.match(
      message,
      /for host "evil.example": expected localhost, .*strata.local.*allow-host/,
    );
    assert.equal((await call(http, "GET /healthz")).status, 200);
  });

  test("the loopback has many addresses", () => {
    for (const host of ["localhost", "127.0.0.1", "127.9.9.9", "::1"])
      assert.equal(isLoopback(host), true, host);
    for (const host of ["0.0.0.0", "::", "10.0.0.1", "127.evil"])
      assert.equal(isLoopback(host), false, host);
  });
});

describe("browsers", () => {
  test("every answer says what may be done with it", async () => {
    const document = { type: "text/html", body: "<p>", policy: "default-src 'self'" };
    const http = await httpWith({ documents: new Map([["/", document]]) });
    for (const path of ["/", "/healthz", "/v1/models", "/v1/nothing"]) {
      const { headers } = await call(http, `GET ${path}`);
      assert.equal(headers.get("x-content-type-options"), "nosniff");
      assert.equal(headers.get("referrer-policy"), path === "/" ? "no-referrer" : null);
      assert.equal(headers.get("cross-origin-resource-policy"), "same-origin");
      const policy = path === "/" ? document.policy : "default-src 'none'; frame-ancestors 'none'";
      assert.equal(headers.get("content-security-policy"), policy);
    }
  });

  test("what may be asked of a path is told without a key", async () => {
    const http = await httpWith({});
    const models = await call(http, "OPTIONS /v1/models");
    assert.equal(models.status, 204);
    assert.equal(models.headers.get("allow"), "GET, POST, OPTIONS");
    assert.equal(await models.text(), "");
    assert.equal((await call(http, "OPTIONS /v1/nothing")).status, 401);
  });

  test("pages of other origins may call where that is configured", async () => {
    const origin = "https://app.example";
    const preflight = { origin, "access-control-request-method": "POST" };
    const asked = { "access-control-request-headers": "authorization,x-stainless-os" };
    const http = await httpWith({ corsOrigins: [origin] });
    const { status, headers } = await call(http, "OPTIONS /v1/classify", {
      headers: { ...preflight, ...asked },
    });
    assert.equal(status, 204);
    assert.equal(headers.get("access-control-allow-origin"), origin);
    assert.equal(headers.get("access-control-allow-headers"), "authorization,x-stainless-os");
    const refused = await call(http, "GET /v1/models", { headers: { origin } });
    assert.equal(refused.status, 401);
    assert.equal(refused.headers.get("access-control-allow-origin"), origin);
    const other = await call(http, "GET /v1/models", { headers: { origin: "https://b.example" } });
    assert.equal(other.headers.get("access-control-allow-origin"), null);
    const closed = await call(await httpWith({}), "GET /v1/models", { headers: { origin } });
    assert.equal(closed.headers.get("access-control-allow-origin"), null);
  });
});

describe("fields", () => {
  const headers = { authorization };

  test("an optional field that is null is absent, on every route", async () => {
    const http = await httpWith({});
    const nulls = new Map<string, Readonly<Record<string, unknown>>>([
      ["POST /v1/classify", { model: "spam", input: "a", top_k: null, truncate: null, user: null }],
      [
        "POST /v1/embeddings",
        { model: "spam", input: "a", encoding_format: null, dimensions: null, unknown: null },
      ],
      ["POST /v1/models", { id: "a", base: "tiny", labels: ["x", "y"], training_file: null }],
      ["POST /v1/models/spam/derive", { ids: ["b"], count: null, noise: 0.1, seed: 1 }],
    ]);
    for (const [target, json] of nulls) {
      const response = await call(http, target, { json, headers });
      assert.equal(response.status, 200, `${target}: ${await response.text()}`);
    }
    const job = {
      ...{ model: "spam", training_file: "file-none", suffix: null, integrations: null },
      ...{ method: { type: "supervised", supervised: { hyperparameters: { n_epochs: null } } } },
    };
    const response = await call(http, "POST /v1/fine_tuning/jobs", { json: job, headers });
    assert.equal((await errorOf(response)).code, "not_found");
  });

  test("a count outside its limits is told with the limit and what was sent", async () => {
    const http = await httpWith({});
    const faulty = new Map<string, readonly [unknown, RegExp]>([
      [
        "POST /v1/models",
        [{ id: "a", base: "tiny", labels: ["x"] }, /expected 2 to 1000 labels, got 1$/],
      ],
      ["POST /v1/models/spam/derive", [{ ids: [], noise: 0.1, seed: 1 }, /at least 1 ids, got 0$/]],
      [
        "POST /v1/fine_tuning/jobs",
        [{ model: "spam", training_file: "" }, /at least 1 characters, got 0$/],
      ],
    ]);
    for (const [target, [json, words]] of faulty) {
      const response = await call(http, target, { json, headers });
      assert.equal(response.status, 400, target);
      assert.match((await errorOf(response)).message, words);
    }
  });

  test("values of jobs and derivations outside their limits are refused by name", async () => {
    const http = await httpWith({});
    const [jobs, derive] = ["POST /v1/fine_tuning/jobs", "POST /v1/models/spam/derive"];
    const job = { model: "tiny", training_file: "file-a" };
    const parameters = (values: object): object => ({ ...job, hyperparameters: values });
    const copies = { ids: ["b"], noise: 0.1, seed: 1 };
    const faulty: readonly (readonly [string, object, string])[] = [
      [jobs, { ...job, suffix: "a b" }, "suffix"],
      [jobs, { ...job, suffix: "x".repeat(65) }, "suffix"],
      [jobs, parameters({ rank: 65 }), "hyperparameters.rank"],
      [jobs, parameters({ n_epochs: 0 }), "hyperparameters.n_epochs"],
      [jobs, parameters({ n_epochs: 1.5 }), "hyperparameters.n_epochs"],
      [jobs, parameters({ batch_size: 257 }), "hyperparameters.batch_size"],
      [
        jobs,
        parameters({ learning_rate_multiplier: 1e-5 }),
        "hyperparameters.learning_rate_multiplier",
      ],
      [derive, { ...copies, noise: 0 }, "noise"],
      [derive, { ...copies, seed: 0.5 }, "seed"],
      ["POST /v1/models", { id: "a", base: "tiny", labels: ["x", ""] }, "labels[1]"],
      ["POST /v1/models", { id: "", base: "tiny", labels: ["x", "y"] }, "id"],
    ];
    for (const [target, json, field] of faulty) {
      const response = await call(http, target, { json, headers });
      assert.equal(response.status, 400, JSON.stringify(json));
      assert.equal((await errorOf(response)).param, field);
    }
  });

  test("a null that stands for what must be there is refused by name", async () => {
    const http = await httpWith({});
    const faulty = new Map<unknown, string>([
      [{ model: null, input: "a" }, "model"],
      [{ model: "spam", input: null }, "input"],
      [{ model: "spam", input: ["a", null] }, "input[1]"],
      [null, ""],
    ]);
    for (const [json, field] of faulty) {
      const response = await call(http, "POST /v1/classify", { json, headers });
      assert.equal(response.status, 400);
      assert.equal((await errorOf(response)).param ?? "", field);
    }
  });

  test("a field that would do nothing is refused by name", async () => {
    const http = await httpWith({});
    const model = { model: "spam", input: "a" };
    const job = { model: "tiny", training_file: "file-a" };
    const wandb = [{ type: "wandb", wandb: { project: "a" } }];
    const nested = { type: "supervised", supervised: { hyperparameters: { beta: 1 } } };
    const once = { type: "supervised", supervised: { hyperparameters: { n_epochs: 1 } } };
    const faulty: readonly (readonly [string, object, string])[] = [
      ["POST /v1/embeddings", { ...model, input_type: "query" }, "input_type"],
      ["POST /v1/classify", { ...model, topk: 3 }, "topk"],
      ["POST /v1/fine_tuning/jobs", { ...job, integrations: wandb }, "integrations"],
      ["POST /v1/fine_tuning/jobs", { ...job, method: { type: "dpo" } }, "method.type"],
      [
        "POST /v1/fine_tuning/jobs",
        { ...job, method: nested },
        "method.supervised.hyperparameters.beta",
      ],
      [
        "POST /v1/fine_tuning/jobs",
        { ...job, hyperparameters: { n_epochs: 3 }, method: once },
        "hyperparameters.n_epochs",
      ],
    ];
    for (const [target, json, field] of faulty) {
      const response = await call(http, target, { json, headers });
      assert.equal(response.status, 400);
      assert.equal((await errorOf(response)).param, field);
    }
  });

  test("a key that objects would lose is refused by name, wherever keys are free", async () => {
    const http = await httpWith({});
    const metadata = JSON.parse('{"a":"b","__proto__":"x"}') as object; // as clients send it
    const job = { model: "tiny", training_file: "file-a", metadata };
    const cases = [
      await call(http, "POST /v1/fine_tuning/jobs", { json: job, headers }),
      await call(http, "GET /v1/fine_tuning/jobs?metadata[__proto__]=x", { headers }),
      await call(http, "GET /v1/fine_tuning/jobs?metadata%5B__proto__%5D=x", { headers }),
    ];
    for (const response of cases) {
      assert.equal(response.status, 400);
      const { param, message } = await errorOf(response);
      assert.equal(param, "metadata.__proto__");
      assert.equal(message, 'Cannot read "metadata.__proto__": this name cannot be a key');
    }
    const input = JSON.parse('[{"__proto__":1}]') as object; // as clients send it
    const nested = await call(http, "POST /v1/classify", {
      json: { model: "spam", input },
      headers,
    });
    assert.equal((await errorOf(nested)).param, "input[0].__proto__");
    // Other names that objects have of their own are keys like any.
    const other = await call(http, "GET /v1/fine_tuning/jobs?metadata[constructor]=x", { headers });
    const { data } = (await other.json()) as { data: unknown }; // what the route answers
    assert.deepEqual(data, []);
  });

  test("a text that no training takes is refused where it would be answered", async () => {
    const http = await httpWith({});
    for (const path of ["embeddings", "classify", "classify-tokens"])
      for (const text of ["a\0b", "a\ud800b", "\udc00\ud83d"]) {
        const json = { model: "spam", input: ["whole \u{1f600}", text] };
        const response = await call(http, `POST /v1/${path}`, { json, headers });
        assert.equal(response.status, 400);
        const { param, message } = await errorOf(response);
        assert.equal(param, "input[1]");
        assert.match(message, /text holds a NUL or a lone surrogate$/);
      }
  });

  test("the document says where null is allowed", async () => {
    type Schema = { properties: Record<string, { anyOf?: { type: string }[]; default?: string }> };
    type Operation = { requestBody: { content: Record<string, { schema: Schema }> } };
    type Document = { paths: Record<string, Record<string, Operation>> };
    const document = (await httpWith({})).openapi() as Document; // What this test reads of it.
    const { content } = document.paths["/v1/embeddings"]?.["post"]?.requestBody ?? {};
    const schema = content?.["application/json"]?.schema;
    assert.ok(schema !== undefined);
    const { encoding_format: format, model } = schema.properties;
    assert.deepEqual(format?.anyOf?.at(-1), { type: "null" });
    assert.equal(format?.default, "float");
    assert.equal(model?.anyOf, undefined);
  });

  test("a cut text is told on both routes, or refused", async () => {
    type Told = { data: { truncated: boolean }[]; usage: { truncated_inputs: number } };
    const http = await httpWith({});
    const input = ["short", "word ".repeat(40).trim()];
    for (const route of ["classify", "embeddings"]) {
      const json = { model: "spam", input };
      const response = await call(http, `POST /v1/${route}`, { json, headers });
      const { data, usage } = (await response.json()) as Told; // Both routes answer these.
      assert.deepEqual(
        data.map(({ truncated }) => truncated),
        [false, true],
      );
      assert.equal(usage.truncated_inputs, 1);
      const strict = { ...json, truncate: false };
      const refused = await call(http, `POST /v1/${route}`, { json: strict, headers });
      assert.equal((await errorOf(refused)).code, "context_length_exceeded");
    }
  });
});

describe("bodies that cost too much to parse", () => {
  test("are refused by what they have too much of", async () => {
    const http = await httpWith({});
    const members = Object.fromEntries(Array.from({ length: 5_000 }, (_, n) => [`k${n}`, n]));
    const elements = Array(330_000).fill([]);
    for (const [json, message] of [
      [members, /more than 4096 members/],
      [elements, /more than 320000 elements/],
    ] as const) {
      const headers = { authorization };
      const response = await call(http, "POST /v1/classify", { json, headers });
      assert.equal(response.status, 400);
      assert.match((await errorOf(response)).message, message);
    }
  });
});

describe("deletion", () => {
  test("a version that is not served can be deleted, the served one cannot", async () => {
    const services = await standInServices(systemClock);
    const http = createHttp(services);
    const model = await services.store.catalog.of(operator).models.get("spam");
    assert.ok(model !== undefined);
    const [first] = await services.store.catalog
      .of(operator)
      .versions.list(model.incarnation, { limit: 100 });
    assert.ok(first !== undefined);
    await services.store.catalog
      .of(operator)
      .versions.insert({ ...first, number: 2 }, { isServed: false });
    const headers = { authorization };
    const served = await call(http, "DELETE /v1/models/spam/versions/1", { headers });
    assert.equal((await errorOf(served)).code, "conflict");
    const gone = await call(http, "DELETE /v1/models/spam/versions/2", { headers });
    assert.deepEqual(await gone.json(), {
      object: "model.version",
      model: "spam",
      version: 2,
      deleted: true,
    });
    for (const version of ["2", "99", "0", "x"]) {
      const response = await call(http, `DELETE /v1/models/spam/versions/${version}`, { headers });
      assert.ok([400, 404].includes(response.status));
    }
  });
});

test("an answer's bytes are bounded by the labels of the version that answers", async () => {
  const services = await standInServices(systemClock);
  const http = createHttp(services);
  const { models, versions } = services.store.catalog.of(operator);
  const [first] = await versions.list((await models.get("spam"))?.incarnation ?? "vplm-none", {
    limit: 100,
  });
  assert.ok(first !== undefined);
  const labels = Array.from({ length: limits.labelCountMax }, (_, index) =>
    `${index}-`.padEnd(limits.labelCharactersMax, "y"),
  );
  await versions.insert({ ...first, number: 2, labels }, { isServed: true });
  const input = Array.from({ length: limits.inputCountMax }, () => "a");
  const headers = { authorization };
  const ask = (model: string): Promise<Response> =>
    call(http, "POST /v1/classify", { json: { model, input, top_k: labels.length }, headers });
  for (const model of ["spam", "spam@2"])
    assert.equal((await errorOf(await ask(model))).param, "top_k");
  assert.equal((await ask("spam@1")).status, 200);
  assert.equal((await ask("spam@3")).status, 404);
});
