/** What is told when a job is submitted, before anything of it is stored. */
import assert from "node:assert/strict";
import { before, describe, it } from "node:test";
import { named, prepared } from "../creator/exam-model.ts";
import { operator } from "../entities/caller.ts";
import type { TaskName } from "../foundation/kind-names.ts";
import type { Files } from "../files/files.ts";
import { createFiles } from "../files/store-files.ts";
import { systemClock } from "../foundation/clock.ts";
import { StrataError } from "../foundation/errors.ts";
import { systemIds } from "../foundation/random.ts";
import { createMemoryStore } from "../storage/memory/memory-store.ts";
import type { StoreDriver } from "../storage/storage.ts";
import { checkJob } from "./job-checks.ts";

const labelled = '{"text":"fine","label":"x"}\n{"text":"bad","label":"y"}\n';
const marked = '{"text":"in Rome","entities":[{"start":3,"end":7,"label":"city"}]}\n';

let store: StoreDriver;
let files: Files;
/** The ids of files by what is in them. */
const ids = new Map<string, string>();

before(async () => {
  store = createMemoryStore();
  files = createFiles({ store, clock: systemClock, ids: systemIds });
  const creator = await prepared(store);
  const spans: TaskName = "token-classification";
  await creator.create(operator, { ...named("stranded"), base: "wide2000", labels: ["x", "y"] });
  const model = { ...named("spans"), base: "base", labels: ["city"], task: spans };
  await creator.create(operator, model);
  for (const [name, content] of Object.entries({ labelled, marked }))
    ids.set(name, (await accepted(content)).id);
  const { task: _, ...row } = await accepted(labelled);
  await store.catalog.of(operator).files.insert({ ...row, id: "file-old", task: undefined });
  ids.set("old", "file-old");
});

async function* chunksOf(content: string): AsyncIterable<Uint8Array> {
  yield Buffer.from(content);
}

function accepted(content: string) {
  return files.accept(operator, {
    receive: async (take) => ({
      ...(await take(chunksOf(content))),
      ...{ filename: "rows.jsonl", purpose: "fine-tune" },
    }),
    within: (check) => check(new AbortController().signal),
  });
}

function check(model: string, training: string, validation?: string) {
  const validationFile = validation && ids.get(validation);
  return checkJob(
    operator,
    {
      ...{ store, files },
      checkBase(id) {
        if (id === "wide2000") throw new StrataError("CONFLICT", "Cannot train: it has rotted");
      },
    },
    {
      model,
      trainingFile: ids.get(training) ?? "",
      ...(validationFile !== undefined && { validationFile }),
    },
  );
}

it("a job is refused with the reason for which its base is, or the base of its model", async () => {
  for (const model of ["wide2000", "stranded"])
    await assert.rejects(check(model, "labelled"), {
      code: "CONFLICT",
      message: "Cannot train: it has rotted",
    });
  await assert.rejects(check("nowhere", "labelled"), { code: "NOT_FOUND", field: "model" });
});

describe("files of a job", () => {
  it("are of the model's task: the error names both, and what to do", async () => {
    await assert.rejects(check("spans", "labelled"), {
      code: "INVALID_ARGUMENT",
      field: "training_file",
      message:
        'Cannot train on "rows.jsonl": its rows are examples of text-classification, model ' +
        '"spans" is of token-classification; create a model with this file and name no task, ' +
        "which the file decides",
    });
    await assert.rejects(check("a", "marked"), { field: "training_file" });
    assert.equal((await check("spans", "marked"))?.id, "spans");
    assert.equal((await check("a", "labelled"))?.id, "a");
  });

  it("are of one task, whether the model is there or yet to be made", async () => {
    for (const [model, whose] of [
      ["base", "those of training_file are"],
      ["spans", 'model "spans" is'],
    ] as const)
      await assert.rejects(check(model, "marked", "labelled"), {
        code: "INVALID_ARGUMENT",
        field: "validation_file",
        message:
          'Cannot train on "rows.jsonl": its rows are examples of text-classification, ' +
          `${whose} of token-classification; give files of one task`,
      });
    assert.equal(await check("base", "marked", "marked"), undefined);
  });

  it("are left to the job where they were not read when they came", async () => {
    assert.equal((await check("spans", "old"))?.id, "spans");
    assert.equal(await check("base", "old", "marked"), undefined);
    await assert.rejects(check("spans", "old", "labelled"), { field: "validation_file" });
  });
});
