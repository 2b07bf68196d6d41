import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { StrataError } from "../foundation/errors.ts";
import { modelsFile, profileFile } from "./exam-files.ts";
import { deadlinesOf, type Models, parseModels } from "./model-file.ts";

const noFile = (path: string): Promise<string> =>
  Promise.reject(new StrataError("INVALID_ARGUMENT", `Cannot read "${path}"`));

async function parse(value: unknown, read = noFile): Promise<Models> {
  return parseModels(JSON.stringify(value), "models.json", read);
}

/** The file with the first model's fields replaced. */
function withModel(fields: object): unknown {
  return { ...modelsFile, models: [{ name: "a", profile: "small", rate: 1, ...fields }] };
}

describe("parseModels", () => {
  test("reads rates, burstiness and deadlines; without a cv arrivals are Poisson", async () => {
    const { models, simulation } = await parse(modelsFile);
    assert.deepEqual(
      models.map(({ unit, load, deadlineSeconds }) => [unit.name, load, deadlineSeconds]),
      [
        ["a", { rate: 2, cv: 3 }, undefined],
        ["b", { rate: 1, cv: 1 }, 2],
      ],
    );
    assert.equal(simulation.name, "ideal");
  });

  test("a count makes models alike, with numbers behind the name", async () => {
    const { models } = await parse(withModel({ name: "m", count: 3, tokenCount: 8 }));
    assert.deepEqual(
      models.map(({ unit }) => [unit.name, unit.tokenCount]),
      [
        ["m-1", 8],
        ["m-2", 8],
        ["m-3", 8],
      ],
    );
  });

  test("a profile may be the path of a measured one, whose overheads hold", async () => {
    const file = { ...modelsFile, profiles: { small: "tiny.json" } };
    const { models, simulation } = await parse(file, (path) => {
      assert.equal(path, "tiny.json");
      return Promise.resolve(JSON.stringify(profileFile));
    });
    assert.equal(simulation.startSeconds, 0.002);
    assert.equal(models[0]?.unit.profiles.length, 2);
  });

  for (const [name, value, message] of [
    ["a negative rate", withModel({ rate: -1 }), /"models.json": models\[0\]\.rate: .*>=0/],
    ["a cv beyond the limit", withModel({ cv: 1e6 }), /models\[0\]\.cv: .*<=64/],
    ["an unknown field", withModel({ rats: 1 }), /models\[0\]: .*"rats"/],
    [
      "an unknown profile",
      withModel({ profile: "big" }),
      /models\[0\]\.profile: there is no "big"/,
    ],
    ["too many models", withModel({ count: 10_001 }), /models\[0\]\.count: .*<=10000/],
    ["a control character", withModel({ name: "a\nb" }), /name: expected no control characters/],
    ["no models", { ...modelsFile, models: [] }, /models: .*>=1/],
    [
      "a name twice",
      { ...modelsFile, models: [...modelsFile.models, ...modelsFile.models] },
      /models\[2\]\.name: "a" is taken/,
    ],
    [
      "stages that do not match",
      withStages([0.1, 0.1]),
      /profiles\.small\.profiles\[0\]: .*stages/,
    ],
    ["a latency of nothing", withStages([0]), /latencies\[0\]\.stageSeconds\[0\]: .*>0/],
    [
      "a profile by a name that no object keeps",
      { ...modelsFile, profiles: JSON.parse('{"__proto__":{}}') as unknown },
      /profiles\.__proto__: this name cannot be a key/,
    ],
    [
      "a number as a profile",
      { ...modelsFile, profiles: { small: 3 } },
      /profiles\.small: .*object/,
    ],
  ] as const)
    test(`names the place of ${name}`, async () => {
      await assert.rejects(parse(value), { code: "INVALID_ARGUMENT", message });
    });

  test("in all there are no more models than the limit, however they are counted", async () => {
    const models = Array.from({ length: 3 }, (_, i) => ({
      ...{ name: `m${i}`, profile: "small", rate: 1, count: 5000 },
    }));
    await assert.rejects(parse({ ...modelsFile, models }), /models: expected at most 10000 in all/);
  });

  test("NaN is no JSON", async () => {
    const text = JSON.stringify(modelsFile).replace('"rate":2', '"rate":NaN');
    await assert.rejects(
      parseModels(text, "m.json", noFile),
      /Cannot read "m.json": it is not JSON/,
    );
  });

  test("any JSON is read or refused with a place, and never breaks", async () => {
    const value = fc.oneof(
      fc.jsonValue(),
      fc.record({ profiles: fc.jsonValue(), models: fc.jsonValue() }),
      fc.record({
        profiles: fc.constant(modelsFile.profiles),
        models: fc.array(fc.record({ name: fc.string(), profile: fc.constant("small") }), {
          minLength: 1,
        }),
      }),
    );
    await fc.assert(
      fc.asyncProperty(value, async (file) => {
        await parse(file).catch((error: unknown) => {
          const isOurs = error instanceof StrataError;
          assert.ok(isOurs && error.code === "INVALID_ARGUMENT", String(error));
        });
      }),
      { numRuns: 200 },
    );
  });
});

function withStages(stageSeconds: readonly number[]): unknown {
  const [first, ...rest] = modelsFile.profiles.small.profiles;
  const latencies = [{ batchSize: 1, tokenCount: 16, stageSeconds }];
  const profiles = { small: { tokenCount: 16, profiles: [{ ...first, latencies }, ...rest] } };
  return { ...modelsFile, profiles };
}

test("a deadline is the model's own, or in seconds, or times the latency alone", async () => {
  const { models } = await parse(modelsFile);
  const [scaled, inSeconds] = [undefined, 0.7].map((sloSeconds) =>
    deadlinesOf(models, { sloScale: 5, sloSeconds }),
  );
  // Alone on one device it takes 0.1 s.
  assert.deepEqual(scaled, [0.5, 2]);
  assert.deepEqual(inSeconds, [0.7, 2]);
});
