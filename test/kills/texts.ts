/** What is learned and asked, for both tasks: the word `lamp` is all that the tiny base knows. */
import assert from "node:assert/strict";
import type { Client } from "../../src/client/client.ts";
import type { TaskName } from "../../src/foundation/kind-names.ts";
import { present } from "../../src/foundation/assert.ts";
import { pause, systemClock } from "../../src/foundation/clock.ts";
import { StrataError } from "../../src/foundation/errors.ts";

const rowCount = 80;

const asked = ["lamp lamp", "shade of 7", "a lamp and a shade"];

/** Rows of either task; their two labels, or their one, are no other file's. */
export function rowsOf(task: TaskName, name: string): Uint8Array {
  const rows = Array.from({ length: rowCount }, (_, index) => {
    const [text, isLamp] = index % 2 === 0 ? [`lamp ${index}`, true] : [`shade ${index}`, false];
    if (task === "text-classification")
      return { text, label: `${isLamp ? "light" : "other"}-${name}` };
    const entity = { start: 0, end: "lamp".length, label: `light-${name}` };
    return { text, entities: isLamp ? [entity] : [] };
  });
  return Buffer.from(rows.map((row) => JSON.stringify(row)).join("\n"));
}

export function labelsOf(task: TaskName, name: string): readonly string[] {
  const labels = [`light-${name}`, `other-${name}`];
  return task === "text-classification" ? labels : labels.slice(0, 1);
}

/** A part of an answer: what is found where, and how sure that is. */
export interface Found {
  readonly what: string;
  readonly score: number;
}

export interface Answered {
  readonly version: number;
  readonly found: readonly Found[];
}

/** What the model answers to the same texts, whatever its task; who finds a queue comes again. */
export async function ask(client: Client, task: TaskName, model: string): Promise<Answered> {
  for (;;) {
    try {
      return await askOnce(client, task, model);
    } catch (error) {
      if (!(error instanceof StrataError) || error.code !== "OVERLOADED") throw error;
      await pause(systemClock, error.retryAfterMs ?? 100);
    }
  }
}

async function askOnce(client: Client, task: TaskName, model: string): Promise<Answered> {
  if (task === "text-classification") {
    const { version, data } = await client.classify({ model, input: asked });
    const found = data.flatMap(({ scores }, index) =>
      scores
        .toSorted((one, other) => one.label.localeCompare(other.label))
        .map(({ label, score }) => ({ what: `${index} ${label}`, score })),
    );
    return { version, found };
  }
  const { version, data } = await client.classifyTokens({ model, input: asked });
  const found = data.flatMap(({ entities }, index) =>
    entities.map(({ entity_group: label, start, end, score }) => ({
      what: `${index} ${start}-${end} ${label}`,
      score,
    })),
  );
  return { version, found };
}

/** How far two answers of one version may lie apart. */
const tolerance = 1e-5;

export function assertAlike(got: readonly Found[], reference: readonly Found[], of: string): void {
  const names = (answer: readonly Found[]): readonly string[] => answer.map(({ what }) => what);
  assert.deepEqual(names(got), names(reference), of);
  for (const [index, { what, score }] of got.entries()) {
    const expected = present(reference[index], "as many as in the reference").score;
    assert.ok(Math.abs(score - expected) <= tolerance, `${of}: ${what}: ${score}, was ${expected}`);
  }
}
