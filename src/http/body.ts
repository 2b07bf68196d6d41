/** Reading a JSON body within its limits: bytes, UTF-8, depth of nesting, members, elements. */
import { isUtf8 } from "node:buffer";
import { StrataError } from "../foundation/errors.ts";
import { limits } from "../foundation/limits.ts";
import { turn } from "../foundation/turn.ts";
import { endedEarly } from "../listener/arrival.ts";
import type { Intake } from "../listener/intake.ts";

const jsonType = /^\s*application\/(?:[\w.-]+\+)?json\s*(?:;\s*charset\s*=\s*"?utf-8"?\s*)?$/i;

/** A text this long takes milliseconds to look through, and others get a turn in between. */
const longCharacters = 256 * 1024;

/**
 * The parsed body. UNSUPPORTED_MEDIA_TYPE when it is not declared as plain JSON, TOO_LARGE past
 * `requestBodyBytesMax`, INVALID_ARGUMENT when it is no JSON text in UTF-8, too deep or of too many
 * values, TOO_SLOW when it does not arrive, OVERLOADED while there is no memory for it.
 */
export async function readJson(request: Request, intake: Intake): Promise<unknown> {
  const type = request.headers.get("content-type");
  if (type === null || !jsonType.test(type))
    throw unsupported(`expected content type application/json in UTF-8, got "${type ?? "none"}"`);
  const encoding = request.headers.get("content-encoding");
  if (encoding !== null && encoding !== "identity")
    throw unsupported(`expected no content encoding, got "${encoding}"`);
  const bytes = await readBytes(request, intake);
  if (!isUtf8(bytes)) throw invalid("it is not UTF-8");
  // A byte order mark is no part of the text; some libraries write one.
  const text = new TextDecoder().decode(bytes);
  const isLong = text.length > longCharacters;
  if (isLong) await turn();
  const fault = jsonFault(text);
  if (fault !== undefined) throw invalid(fault);
  if (isLong) await turn();
  const value = parsed(text);
  if (isLong) await turn();
  return value;
}

function parsed(text: string): unknown {
  try {
    const value: unknown = JSON.parse(text);
    return value;
  } catch (error) {
    throw invalid(error instanceof Error ? error.message : "it is no JSON");
  }
}

async function readBytes(request: Request, intake: Intake): Promise<Buffer> {
  const length = request.headers.get("content-length");
  if (Number(length ?? 0) > limits.requestBodyBytesMax) throw tooLarge();
  if (length === null) return collect(request.body, intake);
  intake.holdUpTo(Number(length));
  // A server reads no more than the declared length, so that this is bounded and fast.
  const bytes = request.arrayBuffer().catch(endedEarly);
  return Buffer.from(await intake.arrival.wait(bytes));
}

async function collect(body: Request["body"], intake: Intake): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  let length = 0;
  if (body === null) return Buffer.alloc(0);
  for await (const chunk of intake.arrival.chunks(body)) {
    length += chunk.length;
    if (length > limits.requestBodyBytesMax) throw tooLarge();
    intake.holdUpTo(length);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

/**
 * Why a JSON text would cost too much to parse: its nesting, the members of all its objects, or the
 * elements of all its arrays. There is no recursion, and strings are jumped over. What is no JSON
 * may pass.
 */
function jsonFault(text: string): string | undefined {
  let depth = 0;
  let deepest = 0;
  let memberCount = 0;
  let elementCount = 0;
  for (let at = 0; at < text.length; at++) {
    const code = text.charCodeAt(at);
    if (code === 0x22) at = endOfString(text, at);
    else if (code === 0x2c) elementCount++;
    else if (code === 0x3a) memberCount++;
    else if (code === 0x5b || code === 0x7b) {
      elementCount++;
      deepest = Math.max(deepest, ++depth);
    } else if (code === 0x5d || code === 0x7d) depth--;
  }
  const { jsonDepthMax, jsonMemberCountMax, jsonElementCountMax } = limits;
  if (deepest > jsonDepthMax) return `it is nested deeper than ${jsonDepthMax} levels`;
  if (memberCount > jsonMemberCountMax) return `it has more than ${jsonMemberCountMax} members`;
  if (elementCount > jsonElementCountMax) return `it has more than ${jsonElementCountMax} elements`;
  return undefined;
}

/** The end of the string that begins at `start`; the end of the text when it does not end. */
function endOfString(text: string, start: number): number {
  let at = text.indexOf('"', start + 1);
  while (at !== -1) {
    let slashes = 0;
    while (text.charCodeAt(at - 1 - slashes) === 0x5c) slashes++;
    if (slashes % 2 === 0) return at;
    at = text.indexOf('"', at + 1);
  }
  return text.length;
}

function tooLarge(): StrataError {
  const expected = `expected at most ${limits.requestBodyBytesMax} bytes`;
  return new StrataError("TOO_LARGE", `Cannot read the body: ${expected}`);
}

function unsupported(state: string): StrataError {
  return new StrataError("UNSUPPORTED_MEDIA_TYPE", `Cannot read the body: ${state}`);
}

function invalid(state: string): StrataError {
  return new StrataError("INVALID_ARGUMENT", `Cannot read the body: ${state}`);
}
