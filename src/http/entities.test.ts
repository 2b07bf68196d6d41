/** Entities over HTTP: their items, answers that leave piece by piece, and what is refused. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { systemClock } from "../foundation/clock.ts";
import { createHttp } from "./http.ts";
import { createFinder, standInKey, standInServices } from "./exam-services.ts";

async function answerTo(json: object): Promise<Response> {
  const services = await standInServices(systemClock);
  await createFinder(services, "names");
  const headers = { authorization: `Bearer ${standInKey}`, "content-type": "application/json" };
  const init = { method: "POST", headers, body: JSON.stringify(json) };
  return createHttp(services).fetch(new Request("http://local/v1/classify-tokens", init));
}

interface Listed {
  readonly data: readonly { readonly entities: readonly unknown[] }[];
}

test("entities are answered by label, score, place and slice, an item per text", async () => {
  const json = { model: "names", input: ["from Bonn to Rome", "nowhere"] };
  const response = await answerTo(json);
  assert.equal(response.headers.get("x-strata-queue-ms"), "0.500");
  const own = { entity_group: "ham", score: 0.75 };
  const item = { object: "token_classification", truncated: false };
  const entities = [
    { ...own, start: 5, end: 9, word: "Bonn" },
    { ...own, start: 13, end: 17, word: "Rome" },
  ];
  assert.deepEqual(await response.json(), {
    object: "list",
    model: "names",
    version: 1,
    data: [
      { ...item, index: 0, entities },
      { ...item, index: 1, entities: [] },
    ],
    usage: { prompt_tokens: 5, total_tokens: 5, truncated_inputs: 0 },
  });
});

test("many entities leave piece by piece; what only labels have is refused", async () => {
  const input = Array.from({ length: 400 }, () => "Ann Bob Cid Dan");
  const json = { model: "names", input };
  const { data: items } = (await (await answerTo(json)).json()) as Listed; // a list of items
  assert.equal(items.length, 400);
  assert.equal(items.at(-1)?.entities.length, 4);
  const many = { model: "names", input: ["x"], top_k: 1 };
  const refusal = await answerTo(many);
  assert.equal(refusal.status, 400);
});
