/** Two callers by every route: what is one's does not exist for the other. */
import assert from "node:assert/strict";
import { beforeEach, describe, it } from "node:test";
import { routes } from "../contract/contract.ts";
import type { Caller } from "../entities/caller.ts";
import { systemClock } from "../foundation/clock.ts";
import { ann, bob } from "../storage/exam-tenants.ts";
import { tokenOf } from "./authentication.ts";
import { type StandInServices, standInServices, weightsOf } from "./exam-services.ts";
import { createHttp, type Http } from "./http.ts";

interface Asked {
  readonly method: string;
  readonly path: string;
  readonly body?: unknown;
}

interface Told {
  readonly status: number;
  readonly text: string;
}

let services: StandInServices;
let http: Http;
/** What Ann has. */
let file = "";
let job = "";

beforeEach(async () => {
  services = await standInServices(systemClock);
  // Each caller's key is its tenant's name.
  const callers = new Map<string | undefined, Caller>([ann, bob].map((who) => [who.tenant, who]));
  const authenticate = async (header: string | null) => callers.get(tokenOf(header));
  http = createHttp({ ...services, authenticator: { authenticate } });
  const { creator } = services;
  const mine = await creator.create(ann, { id: "mine", base: "tiny", labels: ["ham", "spam"] });
  await creator.publish(ann, mine, weightsOf("instant"));
  await creator.publish(ann, mine, { ...weightsOf("trained"), isServed: false });
  file = await upload(ann);
  const wanted = { model: "mine", training_file: file, metadata: { team: "post" } };
  job = idOf(await ask(ann, { method: "post", path: "/v1/fine_tuning/jobs", body: wanted }));
});

async function ask(who: Caller, { method, path, body }: Asked): Promise<Told> {
  const headers = new Headers({ authorization: `Bearer ${who.tenant}` });
  if (body !== undefined) headers.set("content-type", "application/json");
  const init = { method: method.toUpperCase(), headers, body: JSON.stringify(body) };
  const response = await http.fetch(new Request(`http://local${path}`, init));
  return { status: response.status, text: await response.text() };
}

async function upload(who: Caller): Promise<string> {
  const body = new FormData();
  body.append("purpose", "fine-tune");
  body.append("file", new Blob(["text,label\na,ham\nb,spam\nc,ham\nd,spam\n"]), "a.csv");
  const headers = { authorization: `Bearer ${who.tenant}` };
  const init = { method: "POST", headers, body };
  const response = await http.fetch(new Request("http://local/v1/files", init));
  return idOf({ status: response.status, text: await response.text() });
}

function idOf({ status, text }: Told): string {
  assert.equal(status, 200, text);
  return (JSON.parse(text) as { id: string }).id; // What these routes answer.
}

async function idsOf(who: Caller, path: string): Promise<readonly string[]> {
  const { status, text } = await ask(who, { method: "get", path });
  assert.equal(status, 200, text);
  return (JSON.parse(text) as { data: { id: string }[] }).data.map(({ id }) => id); // As above.
}

/** All that Ann sees, as texts. */
async function seenByAnn(): Promise<readonly string[]> {
  const paths = ["/v1/models", "/v1/models/mine", "/v1/models/mine/versions", "/v1/files"];
  const told = await Promise.all(
    [...paths, `/v1/files/${file}/content`].map((path) => ask(ann, { method: "get", path })),
  );
  return told.map(({ text }) => text);
}

/** Bodies of the routes that have an id in their path. */
const bodies: Readonly<Record<string, unknown>> = {
  deriveModels: { count: 1, noise: 0.1, seed: 1 },
  serveVersion: { version: 2 },
};

/** The same route by the name of a thing of Ann's, and by one that nobody has. */
function askedOf(name: keyof typeof routes): readonly [own: Asked, unknown: Asked] {
  const { method, path } = routes[name];
  const kind = ["models", "files", "jobs"].find((word) => path.includes(`/${word}/{id}`));
  const [own = "", none = ""] = {
    models: ["mine", "none"],
    files: [file, "file-none"],
    jobs: [job, "ftjob-none"],
  }[kind ?? ""] ?? [assert.fail(`${path} is of an unknown kind`), ""];
  const body = bodies[name];
  const asked = (id: string): Asked => ({
    method,
    path: path.replace("{id}", id).replace("{version}", "2"),
    ...(body !== undefined && { body }),
  });
  return [asked(own), asked(none)];
}

const named = (Object.keys(routes) as (keyof typeof routes)[]) // its own keys
  .filter((name) => routes[name].path.includes("{id}"));

describe("a caller of another tenant", () => {
  for (const name of named)
    it(`learns by ${name} no more than that there is no such thing`, async () => {
      const before = await seenByAnn();
      const [own, unknown] = askedOf(name);
      const [told, absent] = [await ask(bob, own), await ask(bob, unknown)];
      assert.equal(told.status, 404, told.text);
      const id = /(?:models|files|jobs)\/([^/]+)/;
      const [mine = "", none = ""] = [own, unknown].map(({ path }) => id.exec(path)?.[1]);
      assert.equal(told.text.replaceAll(mine, none), absent.text);
      assert.deepEqual(await seenByAnn(), before);
      // The route itself is sound: its owner gets by it what the other did not.
      assert.notEqual((await ask(ann, own)).status, 404);
    });

  it("neither calls nor embeds by it, trains on it or makes models of it", async () => {
    const own = await upload(bob);
    const train = (body: object): Asked => ({ method: "post", path: "/v1/fine_tuning/jobs", body });
    for (const model of ["mine", "mine@1"])
      for (const path of ["/v1/classify", "/v1/embeddings"]) {
        const asked = { method: "post", path, body: { model, input: "a" } };
        assert.equal((await ask(bob, asked)).status, 404);
        assert.equal((await ask(ann, asked)).status, 200);
      }
    for (const body of [
      { model: "mine", training_file: own },
      { model: "tiny", training_file: file },
      { model: "tiny", training_file: own, validation_file: file },
    ])
      assert.equal((await ask(bob, train(body))).status, 404, JSON.stringify(body));
    const body = { id: "new", base: "tiny", training_file: file };
    assert.equal((await ask(bob, { method: "post", path: "/v1/models", body })).status, 404);
    const derived = { ids: ["copy"], noise: 0.1, seed: 1 };
    const path = "/v1/models/mine/derive";
    assert.equal((await ask(bob, { method: "post", path, body: derived })).status, 404);
    assert.deepEqual(await idsOf(bob, "/v1/models"), ["tiny"]);
    assert.deepEqual(await idsOf(bob, "/v1/fine_tuning/jobs"), []);
  });

  it("finds its own alone in lists, whatever they are asked for", async () => {
    for (const path of [
      "/v1/files",
      "/v1/files?purpose=fine-tune",
      "/v1/fine_tuning/jobs",
      "/v1/fine_tuning/jobs?metadata[team]=post",
    ]) {
      assert.equal((await idsOf(ann, path)).length, 1, path);
      assert.deepEqual(await idsOf(bob, path), [], path);
    }
    assert.deepEqual(await idsOf(ann, "/v1/models"), ["tiny", "mine"]);
    assert.deepEqual(await idsOf(bob, "/v1/models"), ["tiny"]);
    for (const path of [`/v1/files?after=${file}`, "/v1/models?after=mine"])
      assert.equal((await ask(bob, { method: "get", path })).status, 400, path);
  });

  it("may use the same names, and each keeps its own", async () => {
    const body = { id: "mine", base: "tiny", labels: ["other", "names"] };
    await ask(bob, { method: "post", path: "/v1/models", body });
    const { creator, store } = services;
    const model = await store.catalog.of(bob).models.get("mine");
    assert.ok(model !== undefined);
    await creator.publish(bob, model, { ...weightsOf("instant"), labels: ["other", "names"] });
    const labelFor = async (who: Caller): Promise<unknown> => {
      const asked = { method: "post", path: "/v1/classify", body: { model: "mine", input: "a" } };
      const { text } = await ask(who, asked);
      return (JSON.parse(text) as { data: { label: string }[] }).data[0]?.label; // As above.
    };
    // The first character decides: 97 is odd, so the second of two labels.
    assert.deepEqual([await labelFor(ann), await labelFor(bob)], ["spam", "names"]);
    const removal = { method: "delete", path: "/v1/models/mine" };
    assert.equal((await ask(bob, removal)).status, 200);
    assert.equal(await labelFor(ann), "spam");
    assert.equal((await ask(bob, removal)).status, 404);
  });
});
