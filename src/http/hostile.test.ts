/**
 * Requests that are near to what the OpenAPI document allows, and far from it. None may give a 5xx;
 * every refusal is the error envelope, every success what the document says.
 */
import assert from "node:assert/strict";
import { before, test } from "node:test";
import { Ajv2020, type ValidateFunction } from "ajv/dist/2020.js";
import fc from "fast-check";
import { generate, type JsonSchema } from "json-schema-faker";
import { operator } from "../entities/caller.ts";
import { systemClock } from "../foundation/clock.ts";
import { createHttp, type Http } from "./http.ts";
import { overloadingText, standInKey, standInServices } from "./exam-services.ts";

interface Operation {
  readonly method: string;
  readonly path: string;
  readonly queryNames: readonly string[];
  /** Bodies that the document allows; empty where it knows none in JSON. */
  readonly bodies: readonly unknown[];
  readonly isMultipart: boolean;
  readonly checkAnswer: ValidateFunction | undefined;
}

interface DocumentOperation {
  readonly parameters?: readonly { readonly name: string; readonly in: string }[];
  readonly requestBody?: { readonly content: Readonly<Record<string, { schema: JsonSchema }>> };
  readonly responses: Readonly<
    Record<string, { readonly content: Readonly<Record<string, { schema: object }>> }>
  >;
}

interface Document {
  readonly paths: Readonly<Record<string, Readonly<Record<string, DocumentOperation>>>>;
  readonly components: object;
}

const requestCount = 3000;
const bodyCount = 12;

let http: Http;
let operations: readonly Operation[] = [];
/** Things that exist, so that not every request ends at an unknown name. */
let known: readonly string[] = [];
/** Models that may be deleted. */
const spares = Array.from({ length: bodyCount }, (_, index) => `spare-${index}`);
const statuses = new Map<number, number>();

before(async () => {
  const services = await standInServices(systemClock);
  http = createHttp(services);
  const form = new FormData();
  form.append("purpose", "fine-tune");
  form.append("file", new Blob(["text,label\na,ham\nb,spam\nc,ham\nd,spam\n"]), "a.csv");
  const file = await idOf(post("/v1/files", { body: form }));
  const headers = { "content-type": "application/json" };
  const body = JSON.stringify({ model: "tiny", training_file: file });
  const job = await idOf(post("/v1/fine_tuning/jobs", { headers, body }));
  const source = await services.store.catalog.of(operator).models.get("spam");
  assert.ok(source);
  await services.creator.derive(operator, { source, ids: spares, noise: 0.1, seed: 1 });
  known = ["tiny", "spam", "spam@1", file, job];
  operations = await operationsOf(http.openapi() as Document); // It is one, by its name.
});

test(`${requestCount} hostile requests`, { timeout: 120_000 }, async () => {
  await fc.assert(
    fc.asyncProperty(attempts(), async (attempt) => {
      const operation = operations[attempt.operation % operations.length];
      assert.ok(operation !== undefined);
      const response = await http.fetch(requestOf(operation, attempt));
      statuses.set(response.status, (statuses.get(response.status) ?? 0) + 1);
      const isAsDocumented = [null, operation.method].includes(attempt.method);
      await checkResponse(response, isAsDocumented ? operation.checkAnswer : undefined);
    }),
    { numRuns: requestCount },
  );
  // Were all refused at the same door, this test would test that door.
  for (const status of [200, 400, 401, 404, 405, 409, 413, 415, 429])
    assert.ok(statuses.has(status), `no request came to ${status}: ${[...statuses].join(" ")}`);
});

test("a form whose parts are broken and long is answered", { timeout: 30_000 }, async () => {
  const long = "x".repeat(40_000);
  const heads = ["", "content-type: text/plain", "content-disposition: attachment", long];
  for (const head of heads)
    for (let round = 0; round < 25; round++) {
      const body = `--B\r\n${head}\r\n\r\n${long}\r\n--B--\r\n`;
      const headers = { "content-type": "multipart/form-data; boundary=B" };
      const response = await post("/v1/files", { headers, body });
      assert.equal(response.status, 400);
      await checkResponse(response, undefined);
    }
});

test("a body of deep nesting is refused without recursion", async () => {
  for (const opening of ["[", '{"a":']) {
    const body = opening.repeat(700_000);
    const headers = { "content-type": "application/json" };
    const response = await post("/v1/classify", { headers, body });
    assert.equal(response.status, 400);
    assert.match(await response.text(), /nested deeper than 32 levels/);
  }
});

async function checkResponse(
  response: Response,
  checkAnswer: ValidateFunction | undefined,
): Promise<void> {
  const text = await response.text();
  assert.ok(response.status < 500, `${response.status} ${text}`);
  assert.match(response.headers.get("x-request-id") ?? "", /^req_/);
  if (response.status < 400) {
    if (checkAnswer === undefined) return;
    assert.ok(checkAnswer(JSON.parse(text)), `${JSON.stringify(checkAnswer.errors)} in ${text}`);
    return;
  }
  assert.equal(response.headers.get("content-type"), "application/json");
  const { error } = JSON.parse(text) as { error: Record<string, unknown> }; // Checked below.
  assert.deepEqual(Object.keys(error), ["message", "type", "param", "code"]);
  assert.ok(typeof error["message"] === "string" && error["message"].length < 5_000);
}

type Attempt = ReturnType<typeof attempts> extends fc.Arbitrary<infer T> ? T : never;

function attempts() {
  const rarely = <T>(arbitrary: fc.Arbitrary<T>, weight = 15) =>
    fc.oneof({ arbitrary: fc.constant(null), weight }, { arbitrary, weight: 1 });
  return fc.record({
    operation: fc.noBias(fc.nat(10_000)),
    body: fc.noBias(fc.nat(bodyCount - 1)),
    name: fc.oneof(fc.nat(4), hostileNames),
    query: fc.array(fc.tuple(fc.nat(10), hostileNames), { maxLength: 3 }),
    mutations: fc.array(fc.record({ path: fc.array(fc.nat(20)), value: hostileValues }), {
      maxLength: 2,
    }),
    cut: rarely(fc.nat(60)),
    bytes: rarely(fc.uint8Array({ maxLength: 60 })),
    type: rarely(fc.constantFrom("", "text/plain", "application/json; charset=latin1", "a/b/c")),
    method: rarely(fc.constantFrom("PUT", "PATCH", "DELETE", "POST", "GET", "OPTIONS")),
    key: rarely(fc.constantFrom("", "Bearer", "Bearer wrong", "Basic YTpi", "bearer  \u00ff")),
    padding: rarely(fc.constant(5_000_000), 100),
  });
}

const hostileNames = fc.oneof(
  fc.constantFrom("..", "%2e%2e%2f", "%00", "%ff", "a/b", "ft:tiny:strata:x:y", "spam@99", "@1"),
  fc.constantFrom("0", "-1", "1e9", "NaN", "9".repeat(400), "__proto__", "constructor", "'--"),
  fc.string({ unit: "binary", maxLength: 300 }),
);

const hostileValues: fc.Arbitrary<unknown> = fc.oneof(
  fc.constantFrom(null, true, -1, 0, 1.5, 2 ** 53, -(2 ** 31), 1e308, "", "\0", "\ud800", [], {}),
  fc.constantFrom("tiny", "spam", overloadingText, "auto", "x".repeat(2_000_000), "e\u0301 🦊"),
  fc.constantFrom(Array(3000).fill("a"), [[1], ["a"]], [1, "a"], [[]], [null], [[1, 2], [3]]),
  fc.constant<unknown>(JSON.parse('{"__proto__":{"a":1},"constructor":{}}')),
  fc.jsonValue({ maxDepth: 4 }),
);

function requestOf(operation: Operation, attempt: Attempt): Request {
  const { key, type } = attempt;
  const method = attempt.method ?? operation.method;
  const id = nameOf(method, attempt);
  const url = new URL(`http://local${operation.path.replaceAll(/\{\w+\}/g, () => id)}`);
  for (const [place, value] of attempt.query)
    url.searchParams.append(operation.queryNames[place] ?? "limit", value);
  const headers = { authorization: key ?? `Bearer ${standInKey}` };
  const hasBody = operation.bodies.length > 0 || operation.isMultipart;
  if (method === "GET" || !hasBody) return new Request(url, { method, headers });
  const ownType = operation.isMultipart ? "multipart/form-data; boundary=B" : "application/json";
  const body = bodyOf(operation, attempt);
  return new Request(url, {
    method,
    headers: { ...headers, "content-type": type ?? ownType },
    body,
  });
}

/** Some names cannot stand in a URL as they are. */
function nameOf(method: string, { name, body }: Attempt): string {
  const existing = method === "DELETE" ? spares[body] : known[Number(name)];
  if (typeof name === "number") return existing ?? "tiny";
  if (/^[\w.%/:@-]*$/.test(name)) return name;
  return encodeURIComponent(name.replaceAll(/\p{Surrogate}/gu, "?"));
}

function bodyOf(operation: Operation, attempt: Attempt): Buffer {
  const { mutations, cut, bytes, padding } = attempt;
  const text = operation.isMultipart
    ? multipart(mutations)
    : JSON.stringify(mutations.reduce(mutated, named(operation.bodies[attempt.body], attempt)));
  const padded = padding === null ? text : text + " ".repeat(padding);
  const cutText = cut === null ? padded : padded.slice(0, -cut - 1);
  return Buffer.concat([Buffer.from(cutText), bytes ?? new Uint8Array()]);
}

/** The body with names of things that exist, and with a number of models that a test can bear. */
function named(body: unknown, attempt: Attempt): unknown {
  if (typeof attempt.name !== "number" || typeof body !== "object" || body === null) return body;
  const names: Record<string, unknown> = {
    model: attempt.body % 3 === 0 ? "tiny" : "spam",
    base: "tiny",
    training_file: known[3],
    validation_file: known[3],
    count: 3,
    ...(attempt.body % 4 === 1 && { id: "spam", input: overloadingText }),
  };
  return Object.fromEntries(
    Object.entries(body).map(([key, value]) => [key, key in names ? names[key] : value]),
  );
}

interface Mutation {
  readonly path: readonly number[];
  readonly value: unknown;
}

/** The value with something hostile at a place inside it. */
function mutated(value: unknown, { path, value: hostile }: Mutation): unknown {
  const [step, ...rest] = path;
  if (step === undefined || typeof value !== "object" || value === null) return hostile;
  const keys = Object.keys(value);
  const key = keys[step % (keys.length + 1)] ?? "unknown";
  const entries: Record<string, unknown> = { ...value };
  const inner = mutated(entries[key], { path: rest, value: hostile });
  if (!Array.isArray(value)) return { ...entries, [key]: inner };
  return [...Object.values(entries).slice(0, -1), inner];
}

function multipart(mutations: readonly Mutation[]): string {
  const lines = ['--B\r\ncontent-disposition: form-data; name="purpose"\r\n\r\nfine-tune\r\n'];
  lines.push('--B\r\ncontent-disposition: form-data; name="file"; filename="a.jsonl"\r\n\r\n');
  lines.push('{"text":"a","label":"b"}\r\n--B--\r\n');
  for (const { path, value } of mutations) {
    const place = (path[0] ?? 0) % lines.length;
    const line = lines[place] ?? "";
    const at = (path[1] ?? 0) * 5;
    lines[place] = line.slice(0, at) + String(JSON.stringify(value)) + line.slice(at + 3);
  }
  return lines.join("");
}

async function operationsOf(document: Document): Promise<Operation[]> {
  const ajv = new Ajv2020({ strict: false, validateFormats: false });
  const found: Operation[] = [];
  for (const [path, methods] of Object.entries(document.paths))
    for (const [method, operation] of Object.entries(methods)) {
      const content = operation.requestBody?.content ?? {};
      const answer = operation.responses["200"]?.content["application/json"]?.schema;
      found.push({
        method: method.toUpperCase(),
        path,
        queryNames: (operation.parameters ?? [])
          .filter((parameter) => parameter.in === "query")
          .map((parameter) => parameter.name),
        bodies: await bodiesOf(content["application/json"]?.schema),
        isMultipart: "multipart/form-data" in content,
        checkAnswer: answer && ajv.compile({ ...answer, components: document.components }),
      });
    }
  return found;
}

async function bodiesOf(schema: JsonSchema | undefined): Promise<unknown[]> {
  if (schema === undefined) return [];
  const seeds = Array.from({ length: bodyCount }, (_, seed) => seed);
  const options = { maxItems: 4, maxLength: 30, optionalsProbability: 0.4 };
  return Promise.all(seeds.map((seed) => generate(schema, { ...options, seed })));
}

async function idOf(response: Promise<Response>): Promise<string> {
  return ((await (await response).json()) as { id: string }).id; // A created thing has one.
}

function post(path: string, init: { headers?: Record<string, string>; body: string | FormData }) {
  const headers = { authorization: `Bearer ${standInKey}`, ...init.headers };
  return http.fetch(new Request(`http://local${path}`, { method: "POST", ...init, headers }));
}
