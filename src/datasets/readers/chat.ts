/** A row of chat as a text and its label. */
import { isArray } from "./fields.ts";
import type { RawExample, RawLabelled } from "./rows.ts";

const ignoredRoles = new Set<unknown>(["system", "developer", "tool", "function"]);
/** Kinds of parts whose `text` is what was said. */
const textKinds = new Set<unknown>(["text", "input_text", "output_text"]);

interface Turn {
  readonly role: unknown;
  readonly content: unknown;
  readonly weight: unknown;
}

/**
 * What the user says is the text, up to the assistant's last answer, which is the label. What a
 * system, a developer or a tool says is ignored. Without labels, an answer need not be there.
 */
export function fromMessages(messages: unknown, isLabelled: boolean): RawExample {
  if (!isArray(messages)) return { fault: "messages is not an array" };
  const turns: Turn[] = [];
  for (const message of messages) {
    const turn = turnOf(message);
    if (typeof turn === "string") return { fault: turn };
    turns.push(turn);
  }
  const last = turns.findLastIndex(({ role }) => role === "assistant");
  if (last === -1 && isLabelled) return { fault: "messages holds no message of the assistant" };
  const said = last === -1 ? turns : turns.slice(0, last);
  const asked = said.filter(({ role }) => role === "user");
  if (asked.length === 0) return { fault: "messages holds no message of the user" };
  const texts = asked.map(({ content }) => textOf(content));
  const bad = texts.find((text) => "fault" in text);
  if (bad !== undefined) return bad;
  const text = texts.map((part) => ("text" in part ? part.text : "")).join("\n");
  if (!isLabelled) return { text, fields: "messages" };
  const answer = labelOf(turns[last]);
  if ("fault" in answer) return answer;
  const row: RawLabelled = { text, label: answer.text, fields: "messages" };
  return row;
}

/** The turn, or why it is none. */
function turnOf(message: unknown): Turn | string {
  if (typeof message !== "object" || message === null || Array.isArray(message))
    return "messages holds something that is not an object";
  const { role, content, weight } = message as Partial<Turn>; // fields are unknown
  if (role === "user" || role === "assistant" || ignoredRoles.has(role))
    return { role, content, weight };
  return typeof role === "string"
    ? `messages holds the role "${role.slice(0, 40)}", which is unknown`
    : "messages holds a message without a role";
}

function labelOf(turn: Turn | undefined): Said {
  if (turn?.weight === 0) return { fault: "the assistant's last message has the weight 0" };
  if (turn?.content == null) return { fault: "the assistant's last message has no content" };
  return textOf(turn.content);
}

type Said = { readonly text: string } | { readonly fault: string };

function textOf(content: unknown): Said {
  if (typeof content === "string") return { text: content };
  if (!isArray(content))
    return { fault: "content of a message is neither a string nor an array of parts" };
  const texts: string[] = [];
  for (const part of content) {
    const { type, text } = (part ?? {}) as { type?: unknown; text?: unknown }; // checked below
    if (!textKinds.has(type))
      return { fault: `content holds a part of type "${String(type).slice(0, 40)}", not "text"` };
    if (typeof text !== "string") return { fault: "content holds a text part without a text" };
    texts.push(text);
  }
  return { text: texts.join("\n") };
}
