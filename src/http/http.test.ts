import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { WireError } from "../contract/wire-error.ts";
import { operator } from "../entities/caller.ts";
import { type Clock, systemClock } from "../foundation/clock.ts";
import { limits } from "../foundation/limits.ts";
import { createHttp, type Http } from "./http.ts";
import { listen } from "../listener/listener.ts";
import type { Services } from "./services.ts";
import { standInKey, standInServices, stuckText } from "./exam-services.ts";

interface Fixture {
  readonly services: Services;
  readonly http: Http;
}

async function fixture(clock: Clock = systemClock): Promise<Fixture> {
  const services = await standInServices(clock);
  return { services, http: createHttp(services) };
}

type Init = RequestInit & { readonly key?: string; readonly json?: unknown };

function send({ http }: Fixture, target: string, init: Init = {}): Promise<Response> {
  const [method = "", path = ""] = target.split(" ");
  const { key = standInKey, json, ...rest } = init;
  const headers = {
    authorization: `Bearer ${key}`,
    ...(json !== undefined && { "content-type": "application/json" }),
    ...(init.headers as Record<string, string>), // No test passes them in another form.
  };
  const body = json === undefined ? init.body : JSON.stringify(json);
  return http.fetch(
    new Request(`http://local${path}`, { ...rest, method, headers, body: body ?? null }),
  );
}

async function errorOf(response: Response): Promise<WireError["error"]> {
  return ((await response.json()) as WireError).error; // What it holds is what the tests check.
}

async function jsonOf(response: Response): Promise<Record<string, unknown>> {
  assert.equal(response.status, 200);
  return (await response.json()) as Record<string, unknown>; // A route answers an object.
}

function listIn(answer: Record<string, unknown>): readonly Record<string, unknown>[] {
  return answer["data"] as Record<string, unknown>[]; // The tests check what it holds.
}

describe("keys", () => {
  test("only health, readiness and documents are open", async () => {
    const document = { type: "text/html", body: "<p>hello" };
    const services = {
      ...(await standInServices(systemClock)),
      documents: new Map([["/", document]]),
    };
    const open = { services, http: createHttp(services) };
    for (const path of ["/healthz", "/readyz", "/", "/openapi.json"])
      assert.equal((await send(open, `GET ${path}`, { key: "wrong" })).status, 200);
    assert.equal(await (await send(open, "GET /")).text(), "<p>hello");
    assert.deepEqual(await jsonOf(await send(open, "GET /openapi.json")), open.http.openapi());
    for (const path of ["/metrics", "/v1/models", "/v1/nothing"]) {
      const response = await send(open, `GET ${path}`, { key: "wrong" });
      assert.equal(response.status, 401);
      assert.equal(response.headers.get("www-authenticate"), "Bearer");
      assert.equal((await errorOf(response)).code, "invalid_api_key");
    }
    assert.equal(await (await send(open, "GET /metrics")).text(), "# no metrics\n");
  });
});

describe("bodies", () => {
  const json = { model: "spam", input: "hello" };
  const refused = async (init: Init, status: number, message: RegExp): Promise<void> => {
    const response = await send(await fixture(), "POST /v1/classify", init);
    assert.equal(response.status, status);
    assert.match((await errorOf(response)).message, message);
  };
  const typed = { "content-type": "application/json" };

  test("content types other than plain JSON are refused", async () => {
    const body = JSON.stringify(json);
    await refused({ body, headers: { "content-type": "text/plain" } }, 415, /text\/plain/);
    const latin = { "content-type": "application/json; charset=latin1" };
    await refused({ body, headers: latin }, 415, /latin1/);
    await refused({ body, headers: { ...typed, "content-encoding": "gzip" } }, 415, /gzip/);
  });

  test("bytes that are no UTF-8, no JSON or too many are refused", async () => {
    const latin = Buffer.from(JSON.stringify({ ...json, input: "é" }), "latin1");
    await refused({ body: latin, headers: typed }, 400, /not UTF-8/);
    await refused({ body: '{"model":', headers: typed }, 400, /Cannot read the body/);
    await refused({ body: "", headers: typed }, 400, /Cannot read the body/);
    const input = "a".repeat(limits.requestBodyBytesMax);
    await refused({ json: { ...json, input } }, 413, /at most 4194304 bytes/);
  });

  test("a byte order mark before a body is no part of it", async () => {
    const body = `\u{feff}${JSON.stringify(json)}`;
    const response = await send(await fixture(), "POST /v1/classify", { body, headers: typed });
    assert.equal(response.status, 200);
  });

  test("nesting is counted outside strings only", async () => {
    const input = '[{"\\'.repeat(1000);
    const response = await send(await fixture(), "POST /v1/classify", { json: { ...json, input } });
    assert.equal(response.status, 200);
    await refused({ body: `{"a":${"[".repeat(32)}`, headers: typed }, 400, /deeper than 32/);
  });

  test("the first faulty field is named", async () => {
    const fields = new Map<unknown, string>([
      [{ model: "spam" }, "input"],
      [{ model: "spam", input: [] }, "input"],
      [{ model: "spam", input: ["a", 3] }, "input[1]"],
      [{ model: "spam", input: ["a", ""] }, "input[1]"],
      [{ model: "spam", input: "a", top_k: 0 }, "top_k"],
      [{ model: 3, input: "a" }, "model"],
      [{ model: "spam", input: Array(2049).fill("a") }, "input"],
      [{ model: "spam", input: Array(3).fill("a".repeat(900_000)) }, "input"],
    ]);
    for (const [body, field] of fields) {
      const response = await send(await fixture(), "POST /v1/classify", { json: body });
      assert.equal(response.status, 400);
      assert.equal((await errorOf(response)).param, field);
    }
  });
});

describe("routes", () => {
  test("what does not exist is 404, what exists by another method 405", async () => {
    const services = await fixture();
    assert.equal((await send(services, "GET /v1/nothing")).status, 404);
    const response = await send(services, "DELETE /v1/classify");
    assert.equal(response.status, 405);
    assert.equal(response.headers.get("allow"), "POST, OPTIONS");
  });

  test("an unknown model is 404 and never the base", async () => {
    for (const model of ["nobody", "ft:tiny:strata:x:y"]) {
      const json = { model, input: "a" };
      const response = await send(await fixture(), "POST /v1/classify", { json });
      assert.equal(response.status, 404);
      assert.equal((await errorOf(response)).code, "model_not_found");
    }
  });

  test("classification orders the labels and tells the times", async () => {
    const json = { model: "spam", input: ["a", "b c"], top_k: 2 };
    const response = await send(await fixture(), "POST /v1/classify", { json });
    assert.equal(response.headers.get("x-strata-load-ms"), "0.125");
    assert.equal(response.headers.get("x-strata-queue-ms"), "0.500");
    const scores = (best: string, other: string) => [
      { label: best, score: 0.75 },
      { label: other, score: 0.25 },
    ];
    // "a" is code 97, which is odd: the second label.
    const odd = { label: "spam", score: 0.75, scores: scores("spam", "ham") };
    const even = { label: "ham", score: 0.75, scores: scores("ham", "spam") };
    assert.deepEqual(await jsonOf(response), {
      object: "list",
      model: "spam",
      version: 1,
      data: [
        { object: "classification", index: 0, ...odd, truncated: false },
        { object: "classification", index: 1, ...even, truncated: false },
      ],
      usage: { prompt_tokens: 3, total_tokens: 3, truncated_inputs: 0 },
    });
  });

  test("a text that may not be cut is context_length_exceeded", async () => {
    const json = { model: "spam", input: "word ".repeat(40), truncate: false };
    const response = await send(await fixture(), "POST /v1/classify", { json });
    assert.equal(response.status, 400);
    assert.equal((await errorOf(response)).code, "context_length_exceeded");
  });

  test("a cut embedding has length 1 again", async () => {
    // "a" is code 97, 97 mod 7 is 6: the vector is 0.6 and 0.8 at 6 and 7.
    const json = { model: "tiny", input: "a", dimensions: 7 };
    const answer = await jsonOf(await send(await fixture(), "POST /v1/embeddings", { json }));
    assert.deepEqual(listIn(answer)[0], {
      object: "embedding",
      index: 0,
      embedding: [0, 0, 0, 0, 0, 0, 1],
      truncated: false,
    });
  });

  test("models are paged over bases and vPLMs", async () => {
    const services = await fixture();
    const json = { ids: ["one", "two"], noise: 0.1, seed: 1 };
    await jsonOf(await send(services, "POST /v1/models/spam/derive", { json }));
    const ids: unknown[] = [];
    for (let after = ""; ;) {
      const query = after === "" ? "limit=2" : `limit=2&after=${after}`;
      const page = await jsonOf(await send(services, `GET /v1/models?${query}`));
      for (const { id } of listIn(page)) ids.push(id);
      if (page["has_more"] !== true) break;
      after = String(page["last_id"]);
    }
    assert.deepEqual(ids, ["tiny", "spam", "one", "two"]);
  });
});

describe("uploads", () => {
  const form = (parts: readonly string[]) => ({
    headers: { "content-type": "multipart/form-data; boundary=B" },
    body:
      parts.map((part) => `--B\r\ncontent-disposition: form-data; ${part}\r\n`).join("") + "--B--",
  });
  const purpose = 'name="purpose"\r\n\r\nfine-tune';
  const file = (lines: string): string => `name="file"; filename="a.jsonl"\r\n\r\n${lines}`;
  const good = '{"text":"a","label":"x"}';

  const refused = async (init: Init, message: RegExp): Promise<void> => {
    const services = await fixture();
    const digests = async (): Promise<unknown[]> => {
      const found = [];
      for await (const digest of services.services.store.blobs.list()) found.push(digest);
      return found;
    };
    const before = await digests();
    const response = await send(services, "POST /v1/files", init);
    assert.equal(response.status, 400);
    assert.match((await errorOf(response)).message, message);
    assert.deepEqual(await digests(), before, "a refused upload leaves no bytes");
  };

  test("a broken or incomplete form is refused", async () => {
    await refused(form([file(good)]), /expected a purpose/);
    await refused(form([purpose]), /no part "file"/);
    await refused(form([purpose, file(good), file(good)]), /a second part "file"/);
    await refused(form([purpose, 'name="other"; filename="a"\r\n\r\na']), /unknown part "other"/);
    const cut = form([purpose, file(good)]);
    await refused({ ...cut, body: cut.body.slice(0, -9) }, /Cannot read the upload/);
    await refused(
      { ...cut, headers: { "content-type": "multipart/form-data" } },
      /names no boundary/,
    );
  });

  test("a partly bad file is kept and its lines are named", async () => {
    const services = await fixture();
    const lines = [good, "nonsense", good].join("\n");
    const answer = await jsonOf(
      await send(services, "POST /v1/files", form([file(lines), purpose])),
    );
    const [faults, ...remarks] = String(answer["status_details"]).split("\n");
    assert.match(faults ?? "", /^1 of 3 rows cannot be used: line 2: /);
    assert.equal(remarks.length, 1);
    assert.match(remarks[0] ?? "", /^too little to train a model on alone: .* got 1 \("/);
    assert.deepEqual(answer["strata"], {
      task: "text-classification",
      remarks: [
        { kind: "rows", message: faults },
        { kind: "shortage", message: remarks[0] },
      ],
    });
  });

  test("bytes of two files live until the second is deleted", async () => {
    const services = await fixture();
    const { blobs } = services.services.store;
    const ids = [];
    for (let count = 0; count < 2; count++)
      ids.push(
        (await jsonOf(await send(services, "POST /v1/files", form([purpose, file(good)]))))["id"],
      );
    const row = await services.services.store.catalog.of(operator).files.get(String(ids[0]));
    assert.ok(row !== undefined);
    await jsonOf(await send(services, `DELETE /v1/files/${String(ids[0])}`));
    assert.equal(await blobs.has(row.blob), true);
    await jsonOf(await send(services, `DELETE /v1/files/${String(ids[1])}`));
    assert.equal(await blobs.has(row.blob), false);
  });
});

describe("waiting", () => {
  const json = { model: "spam", input: stuckText };

  test("a request past its deadline is told to come back later", async () => {
    let fire = (): void => {};
    const clock: Clock = {
      ...systemClock,
      schedule: (delayMs, callback) => {
        if (delayMs === limits.requestWaitMsMax) fire = callback;
        return () => {};
      },
    };
    const services = await fixture(clock);
    const answer = send(services, "POST /v1/classify", { json });
    const looking = setInterval(() => fire(), 5);
    const response = await answer;
    clearInterval(looking);
    assert.equal(response.status, 429);
    assert.equal(response.headers.get("retry-after"), "5");
    assert.equal((await errorOf(response)).message, "Cannot answer in time: the limit is 60000 ms");
  });

  test("a client that goes away ends its request", async () => {
    const controller = new AbortController();
    const answer = send(await fixture(), "POST /v1/classify", { json, signal: controller.signal });
    controller.abort();
    assert.equal((await answer).status, 499);
  });
});

test("models are fitted at once up to a limit, the rest is told to come back later", async () => {
  const services = await fixture();
  const body = new FormData();
  body.append("purpose", "fine-tune");
  body.append("file", new Blob(["text,label\na,x\nb,y\nc,x\nd,y\n"]), "a.csv");
  const { id: file } = await jsonOf(await send(services, "POST /v1/files", { body }));
  const create = (_: unknown, index: number): Promise<Response> => {
    const model = { id: `fit-${index}`, base: "tiny", training_file: file };
    return send(services, "POST /v1/models", { json: model });
  };
  const answers = await Promise.all(Array.from({ length: limits.instantFitCountMax + 2 }, create));
  const late = answers.filter(({ status }) => status === 429);
  assert.equal(late.length, 2);
  assert.ok(late.every(({ headers }) => headers.get("retry-after") === "5"));
  assert.equal((await create(undefined, 99)).status, 200);
});

describe("sockets", () => {
  test("closing finishes what has begun, at once when nothing is left", async () => {
    const { http } = await fixture();
    const listener = await listen(http, { clock: systemClock, port: 0 });
    const headers = { authorization: `Bearer ${standInKey}`, "content-type": "application/json" };
    const look = () => fetch(`${listener.url}/v1/models/spam`, { headers });
    // Leaves a connection open.
    assert.equal((await look()).status, 200);
    const controller = new AbortController();
    const { signal } = controller;
    const body = JSON.stringify({ model: "spam", input: stuckText });
    const stuck = fetch(`${listener.url}/v1/classify`, { method: "POST", headers, body, signal });
    // Behind the stuck one, so that it has begun.
    await look();
    const start = performance.now();
    const closed = listener.close();
    controller.abort();
    await assert.rejects(stuck, { name: "AbortError" });
    await closed;
    assert.ok(performance.now() - start < 2_000);
    await assert.rejects(look(), TypeError);
    const ready = await http.fetch(new Request("http://local/readyz"));
    assert.equal(ready.status, 503);
    assert.equal(ready.headers.get("connection"), "close");
  });

  test("a malformed request is refused in the envelope", async () => {
    const listener = await listen((await fixture()).http, { clock: systemClock, port: 0 });
    const { port } = new URL(listener.url);
    const { request } = await import("node:http");
    const text = await new Promise<string>((resolve, reject) => {
      const headers = { host: "a b" };
      const sent = request({ host: "127.0.0.1", port, path: "/healthz", headers }, (answer) => {
        answer.setEncoding("utf8").on("data", resolve);
      });
      sent.on("error", reject).end();
    });
    assert.match(text, /^\{"error":\{"message":"Cannot read the request/);
    await listener.close();
  });
});
