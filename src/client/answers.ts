/**
 * What a model says of texts, in one form for every task: faces show it without knowing which task
 * it is. A kind of task is a row of the table below.
 */
import type { Model } from "../contract/models.ts";
import type { TaskName } from "../foundation/kind-names.ts";
import type { Client } from "./client.ts";
import { type TextPart, textParts } from "./text-parts.ts";

export interface ModelAnswer {
  readonly model: string;
  readonly version: number;
  /** One for each text. */
  readonly texts: readonly TextAnswer[];
}

/** What is said of a text: of the whole, of its parts, or of both. */
export interface TextAnswer {
  readonly text: string;
  /** What is said, in all fields of the task's own route. */
  readonly fields: object;
  /** Labels of the whole text, best first; empty where the task has none. */
  readonly scores: readonly { readonly label: string; readonly score: number }[];
  /** All of the text, cut where parts of it are said to be something; empty where none can be. */
  readonly parts: readonly TextPart[];
  /** Whether its end was not read. */
  readonly isCut: boolean;
}

export interface AskedTexts {
  readonly model: string;
  readonly input: string[];
  /** Scores of labels, at most; 10 when absent. */
  readonly top?: number;
}

export type Ask = (client: Client, asked: AskedTexts) => Promise<ModelAnswer>;

/** How a model is asked; of a base, the call for labels says what is wrong with that. */
export function askOf(facts: AskedModel): Ask {
  return asks[facts.kind === "vplm" ? facts.task : "text-classification"];
}

/** What a model tells of itself. */
type AskedModel = { readonly kind: "base" } | Pick<VplmFacts, "kind" | "task">;
type VplmFacts = Extract<Model["strata"], { readonly kind: "vplm" }>;

const asks: Readonly<Record<TaskName, Ask>> = {
  "text-classification": askLabels,
  "token-classification": askEntities,
};

async function askLabels(client: Client, { model, input, top }: AskedTexts): Promise<ModelAnswer> {
  const body = { model, input, ...(top !== undefined && { top_k: top }) };
  const { data, ...source } = await client.classify(body);
  const texts = data.map((row) => ({ ...toldOf(row, input), scores: row.scores, parts: [] }));
  return { ...source, texts };
}

async function askEntities(client: Client, { model, input }: AskedTexts): Promise<ModelAnswer> {
  const { data, ...source } = await client.classifyTokens({ model, input });
  const texts = data.map((row) => {
    const told = toldOf(row, input);
    return { ...told, scores: [], parts: textParts(told.text, row.entities) };
  });
  return { ...source, texts };
}

/** What every route tells of a text. */
interface ToldText {
  readonly object: string;
  readonly index: number;
  readonly truncated: boolean;
}

function toldOf(
  { object: _object, index, ...fields }: ToldText,
  input: readonly string[],
): Pick<TextAnswer, "text" | "fields" | "isCut"> {
  return { text: input[index] ?? "", fields, isCut: fields.truncated };
}
