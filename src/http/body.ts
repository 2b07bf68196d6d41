/** Reading a JSON body within its limits: bytes, UTF-8, depth of nesting. */
import { isUtf8 } from "node:buffer";
import type { ReadableStream } from "node:stream/web";
import { StrataError } from "../foundation/errors.ts";
import { limits } from "../foundation/limits.ts";

const jsonType = /^\s*application\/(?:[\w.-]+\+)?json\s*(?:;\s*charset\s*=\s*"?utf-8"?\s*)?$/i;

/**
 * The parsed body. UNSUPPORTED_MEDIA_TYPE when it is not declared as plain JSON, TOO_LARGE past
 * `requestBodyBytesMax`, INVALID_ARGUMENT when it is no JSON text in UTF-8 or too deep.
 */
export async function readJson(request: Request): Promise<unknown> {
  const type = request.headers.get("content-type");
  if (type === null || !jsonType.test(type))
    throw unsupported(`expected content type application/json in UTF-8, got "${type ?? "none"}"`);
  const encoding = request.headers.get("content-encoding");
  if (encoding !== null && encoding !== "identity")
    throw unsupported(`expected no content encoding, got "${encoding}"`);
  const bytes = await readBytes(request);
  if (!isUtf8(bytes)) throw invalid("it is not UTF-8");
  const text = bytes.toString("utf8");
  if (jsonDepth(text) > limits.jsonDepthMax)
    throw invalid(`it is nested deeper than ${limits.jsonDepthMax} levels`);
  try {
    const value: unknown = JSON.parse(text);
    return value;
  } catch (error) {
    throw invalid(error instanceof Error ? error.message : "it is no JSON");
  }
}

async function readBytes(request: Request): Promise<Buffer> {
  const length = request.headers.get("content-length");
  if (Number(length ?? 0) > limits.requestBodyBytesMax) throw tooLarge();
  try {
    // A server reads no more than the declared length, so that this is bounded and fast.
    if (length !== null) return Buffer.from(await request.arrayBuffer());
    return await collect(request.body);
  } catch (error) {
    if (error instanceof StrataError) throw error;
    throw new StrataError("CANCELLED", "Cannot read the body: it ended early", { cause: error });
  }
}

async function collect(body: Request["body"]): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  let length = 0;
  if (body === null) return Buffer.alloc(0);
  const stream = body as ReadableStream<Uint8Array>; // The types leave open what it is made of.
  for await (const chunk of stream) {
    length += chunk.length;
    if (length > limits.requestBodyBytesMax) throw tooLarge();
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

/**
 * The deepest nesting of arrays and objects, without recursion. Strings are jumped over. What is no
 * JSON gives some number.
 */
export function jsonDepth(text: string): number {
  let depth = 0;
  let deepest = 0;
  for (let at = 0; at < text.length; at++) {
    const code = text.charCodeAt(at);
    if (code === 0x22) at = endOfString(text, at);
    else if (code === 0x5b || code === 0x7b) deepest = Math.max(deepest, ++depth);
    else if (code === 0x5d || code === 0x7d) depth--;
  }
  return deepest;
}

/** Where the string that begins at `start` ends; the end of the text when it does not. */
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
