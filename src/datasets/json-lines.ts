/** JSON lines: one object per line, decoded and parsed alone, so that a bad line harms no other. */
import { isUtf8 } from "node:buffer";
import { limits } from "../foundation/limits.ts";
import { pause, pauseBytes, type RawExample, type RawLine } from "./raw-line.ts";

const lineFeed = 0x0a;

/** Each line that is not blank, in order. */
export function* readJsonLines(bytes: Uint8Array): Generator<RawLine | typeof pause> {
  let pauseAt = pauseBytes;
  for (let start = 0, line = 1; start < bytes.length; line++) {
    if (start >= pauseAt) {
      yield pause;
      pauseAt = start + pauseBytes;
    }
    const found = bytes.indexOf(lineFeed, start);
    const end = found === -1 ? bytes.length : found;
    const raw = readLine(bytes.subarray(start, end));
    if (raw !== undefined) yield { ...raw, line };
    start = end + 1;
  }
}

/** Undefined for a blank line. */
function readLine(bytes: Uint8Array): RawExample | undefined {
  if (bytes.length === 0) return undefined;
  if (bytes.length > limits.trainingLineBytesMax)
    return { fault: `line has ${bytes.length} bytes, the limit is ${limits.trainingLineBytesMax}` };
  if (!isUtf8(bytes)) return { fault: "line is not valid UTF-8" };
  const source = new TextDecoder("utf-8", { ignoreBOM: true }).decode(bytes);
  if (source.trim() === "") return undefined;
  let value: unknown;
  try {
    value = JSON.parse(source);
  } catch {
    // The parser's own message quotes the input at a length that it chooses.
    return { fault: "line is not valid JSON" };
  }
  if (!isObject(value)) return { fault: "line is not a JSON object" };
  return fromObject(value);
}

function fromObject(value: Readonly<Record<string, unknown>>): RawExample {
  const { text, label, prompt, completion, messages } = value;
  if (text !== undefined || label !== undefined) return { text, label };
  if (messages !== undefined) return fromMessages(messages);
  if (prompt !== undefined || completion !== undefined) return { text: prompt, label: completion };
  return { fault: "text is missing" };
}

/** What the user says, up to the assistant's last answer; a system message is ignored. */
function fromMessages(messages: unknown): RawExample {
  if (!Array.isArray(messages)) return { fault: "messages is not an array" };
  const turns = messages.filter(isObject);
  const last = turns.findLastIndex((turn) => turn["role"] === "assistant");
  if (last === -1) return { fault: "messages holds no message of the assistant" };
  const asked = turns.slice(0, last).filter((turn) => turn["role"] === "user");
  if (asked.length === 0) return { fault: "messages holds no message of the user" };
  const texts = asked.map((turn) => turn["content"]);
  const text = texts.every((part) => typeof part === "string") ? texts.join("\n") : null;
  return { text, label: turns[last]?.["content"] };
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
