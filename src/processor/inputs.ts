/** What a request brings: texts or token ids, checked and made into sequences. */
import type { Encoded, EncodedWords } from "../formats/formats.ts";
import { StrataError } from "../foundation/errors.ts";
import { limits } from "../foundation/limits.ts";
import type { OpenBase } from "./open-base.ts";
import type { ModelInputs, ModelRequest } from "./processor.ts";

/**
 * What only a base can tell of token ids. All else that can be told of inputs by themselves, their
 * number, kinds and lengths, is told by the schema of the contract, and not asked again here.
 */
export function checkInputs(base: OpenBase, request: ModelRequest): void {
  const { inputs } = request;
  if (areTexts(inputs)) return;
  for (const [index, ids] of inputs.entries()) checkIds(base, ids, fieldOf(request, index));
}

/** What is to blame where an input is. */
function fieldOf({ isSingle = false }: ModelRequest, index: number): string {
  return isSingle ? "input" : `input[${index}]`;
}

/** The tokens that the inputs will have, as far as can be told before they are read. */
export function foreseenTokenCount(base: OpenBase, inputs: ModelInputs): number {
  const { tokensMax } = base.checkpoint;
  let count = 0;
  for (const input of inputs)
    count +=
      typeof input === "string"
        ? Math.min(tokensMax, specialCount + Math.ceil(input.length / tokenCharacters))
        : input.length;
  return count;
}

/** The mean length of an English word's pieces, white space included. */
const tokenCharacters = 4;
/** One before a text and one behind it. */
const specialCount = 2;

/** The sequences of checked inputs. */
export async function encodeInputs(base: OpenBase, request: ModelRequest): Promise<Encoded> {
  const { inputs } = request;
  const encoded = await (areTexts(inputs)
    ? base.tokenizer.encode(inputs)
    : own(base, request, inputs));
  checkEncoded(base, encoded, request);
  return encoded;
}

function checkEncoded(base: OpenBase, encoded: Encoded, request: ModelRequest): void {
  const cut = request.truncate === false ? encoded.isTruncated.indexOf(true) : -1;
  if (cut >= 0) throw tooLong(fieldOf(request, cut), base.checkpoint.tokensMax, "more");
  const tokenCount = tokenCountOf(encoded.ids);
  if (tokenCount > limits.requestTokensMax)
    throw tooMuch("input", limits.requestTokensMax, `${tokenCount} tokens`);
}

/** The sequences of checked texts, with the words of each. */
export async function encodeWords(base: OpenBase, request: ModelRequest): Promise<EncodedWords> {
  const { inputs } = request;
  if (!areTexts(inputs))
    throw new StrataError("INVALID_ARGUMENT", 'Cannot read "input": ids have no words', {
      field: "input",
    });
  const encoded = await base.tokenizer.encodeWords(inputs);
  checkEncoded(base, encoded, request);
  return encoded;
}

export function tokenCountOf(ids: readonly Int32Array[]): number {
  return ids.reduce((sum, { length }) => sum + length, 0);
}

/**
 * Token ids say nothing of whose they are: those of another vocabulary would be answered with the
 * vector of another text. Only what the base's own tokenizer makes is taken.
 */
async function own(
  base: OpenBase,
  request: ModelRequest,
  lists: readonly (readonly number[])[],
): Promise<Encoded> {
  const ids = lists.map((list) => Int32Array.from(list));
  const foreign = (await base.tokenizer.tokenizer.isOwn(ids)).indexOf(false);
  if (foreign >= 0)
    throw foreignIds(
      fieldOf(request, foreign),
      `expected ids as the tokenizer of "${base.id}" makes them of a text, special ` +
        "tokens at both ends and none within",
    );
  return { ids, isTruncated: ids.map(() => false) };
}

function checkIds(base: OpenBase, ids: readonly number[], field: string): void {
  const { vocabularySize } = base.tokenizer.tokenizer;
  const { tokensMax } = base.checkpoint;
  const wrong = ids.find((id) => id >= vocabularySize);
  if (wrong !== undefined)
    throw foreignIds(field, `expected token ids below ${vocabularySize}, got ${wrong}`);
  if (ids.length > tokensMax) throw tooLong(field, tokensMax, String(ids.length));
}

function areTexts(inputs: ModelInputs): inputs is readonly string[] {
  return typeof inputs[0] === "string";
}

function foreignIds(field: string, state: string): StrataError {
  const remedy =
    "send texts instead; LangChain does with " +
    "OpenAIEmbeddings(check_embedding_ctx_length=False)";
  const message = `Cannot read "${field}": ${state}; ${remedy}`;
  return new StrataError("INVALID_ARGUMENT", message, { field });
}

function tooLong(field: string, tokensMax: number, got: string): StrataError {
  const message = `Cannot read "${field}": expected at most ${tokensMax} tokens, got ${got}`;
  return new StrataError("CONTEXT_LENGTH", message, { field });
}

function tooMuch(field: string, limit: number, got: string): StrataError {
  const message = `Cannot read "${field}": expected at most ${limit}, got ${got}`;
  return new StrataError("INVALID_ARGUMENT", message, { field });
}
