/** What faces are given of each task's answers, from a server whose components are stood in for. */
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { systemClock } from "../foundation/clock.ts";
import { taskNames } from "../foundation/kind-names.ts";
import { createFinder, standInKey, standInServices } from "../http/exam-services.ts";
import { createHttp } from "../http/http.ts";
import { listen, type Listener } from "../listener/listener.ts";
import { askOf } from "./answers.ts";
import { Client } from "./client.ts";

let listener: Listener;
let client: Client;

before(async () => {
  const services = await standInServices(systemClock);
  await createFinder(services, "names");
  listener = await listen(createHttp(services), { clock: systemClock, port: 0 });
  client = new Client({ baseUrl: listener.url, apiKey: standInKey });
});

after(() => listener.close());

const asked = { model: "spam", input: ["from Bonn on", "nowhere"] };

test("labels are scores of whole texts, as many as are asked for", async () => {
  const ask = askOf({ kind: "vplm", task: "text-classification" });
  const { model, version, texts } = await ask(client, { ...asked, top: 1 });
  assert.deepEqual([model, version], ["spam", 1]);
  const { data } = await client.classify({ model, input: asked.input, top_k: 1 });
  for (const [index, { label, score, scores }] of data.entries()) {
    const text = asked.input[index];
    const fields = { label, score, scores, truncated: false };
    assert.deepEqual(texts[index], { text, fields, scores, parts: [], isCut: false });
    assert.equal(scores.length, 1);
  }
  assert.equal((await ask(client, asked)).texts[0]?.scores.length, 2);
});

test("entities are parts of a text, which together are the text", async () => {
  const ask = askOf({ kind: "vplm", task: "token-classification" });
  const { texts } = await ask(client, { ...asked, model: "names" });
  const entity = { entity_group: "ham", score: 0.75, start: 5, end: 9, word: "Bonn" };
  assert.deepEqual(texts, [
    {
      text: "from Bonn on",
      fields: { entities: [entity], truncated: false },
      scores: [],
      parts: [
        { text: "from ", entity: undefined },
        { text: "Bonn", entity },
        { text: " on", entity: undefined },
      ],
      isCut: false,
    },
    {
      text: "nowhere",
      fields: { entities: [], truncated: false },
      scores: [],
      parts: [{ text: "nowhere", entity: undefined }],
      isCut: false,
    },
  ]);
});

test("a text whose end was not read says so, for every task", async () => {
  const models = { "text-classification": "spam", "token-classification": "names" } as const;
  for (const task of taskNames) {
    const input = ["short", "far too long ".repeat(30)];
    const { texts } = await askOf({ kind: "vplm", task })(client, { model: models[task], input });
    for (const [index, { isCut, fields }] of texts.entries()) {
      assert.equal(isCut, index === 1, task);
      assert.deepEqual({ ...fields, truncated: isCut }, fields);
    }
  }
});

test("a base is asked for labels, and says that it has none", async () => {
  await assert.rejects(askOf({ kind: "base" })(client, { ...asked, model: "tiny" }), {
    field: "model",
  });
});
