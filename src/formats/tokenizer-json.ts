/**
 * `tokenizer.json` of a stranger: the parts that encoders of BERT's kind need, each field checked
 * and bounded, written anew for the native library. What the library would compile, such as a
 * regular expression, or what nests without end, never reaches it: it can end the whole process.
 */
import { z } from "zod";
import { StrataError } from "../foundation/errors.ts";
import { limits } from "../foundation/limits.ts";
import { isObject, parseJson, parseValue } from "./json.ts";

const file = "tokenizer.json";
const text = z.string().min(1).max(limits.tokenCharactersMax);
const flag = z.boolean();
const plain = z.object({});

type Kinds = Readonly<Record<string, z.ZodType<object>>>;

const normalizers: Kinds = {
  BertNormalizer: z.object({
    clean_text: flag,
    handle_chinese_chars: flag,
    strip_accents: flag.nullable().default(null),
    lowercase: flag,
  }),
  Lowercase: plain,
  NFC: plain,
  NFD: plain,
  NFKC: plain,
  NFKD: plain,
  StripAccents: plain,
  Strip: z.object({ strip_left: flag, strip_right: flag }),
};

const behavior = z.enum([
  "Removed",
  "Isolated",
  "MergedWithPrevious",
  "MergedWithNext",
  "Contiguous",
]);

const preTokenizers: Kinds = {
  BertPreTokenizer: plain,
  Whitespace: plain,
  WhitespaceSplit: plain,
  Punctuation: z.object({ behavior: behavior.default("Isolated") }),
  Digits: z.object({ individual_digits: flag }),
};

const id = z.int().min(0).max(limits.vocabularySizeMax);

const models: Kinds = {
  WordPiece: z.object({
    unk_token: text,
    continuing_subword_prefix: z.string().max(limits.tokenCharactersMax),
    // The work for a word grows with the square of its characters.
    max_input_chars_per_word: z.int().min(1).max(limits.wordCharactersMax),
    vocab: z.custom<Readonly<Record<string, unknown>>>(isObject, "expected an object"),
  }),
};

const addedToken = z.object({
  id,
  content: text,
  single_word: flag,
  lstrip: flag,
  rstrip: flag,
  normalized: flag,
  special: flag,
});

const typeId = z.int().min(0).max(15);
const piece = z.union([
  z.strictObject({ Sequence: z.object({ id: z.literal("A"), type_id: typeId }) }),
  z.strictObject({ SpecialToken: z.object({ id: text, type_id: typeId }) }),
]);
/** A piece for the text, and one to three around it. */
const pieces = z.array(piece).min(2).max(4);

const processors = {
  TemplateProcessing: z.object({
    single: pieces,
    special_tokens: z.record(
      z.string(),
      z.object({ id: text, ids: z.array(id).length(1), tokens: z.array(text).length(1) }),
    ),
  }),
  BertProcessing: z.object({ sep: z.tuple([text, id]), cls: z.tuple([text, id]) }),
  // Its other fields change where pieces begin in the text, and no piece.
  RobertaProcessing: z.object({ sep: z.tuple([text, id]), cls: z.tuple([text, id]) }),
} as const;

const outline = z.object({
  added_tokens: z.array(addedToken).max(limits.addedTokenCountMax).default([]),
  normalizer: z.unknown(),
  pre_tokenizer: z.unknown(),
  post_processor: z.unknown(),
  model: z.unknown(),
});

type AddedToken = z.infer<typeof addedToken>;

/**
 * The same tokenizer in the library's own words, without truncation and padding. UNSUPPORTED for a
 * part that is not known here, INVALID_ARGUMENT for a field outside its bounds, for a token without
 * a place in the vocabulary, and for an id that the model's `vocabularySize` does not hold.
 */
export function checkedTokenizer(json: string, vocabularySize: number): string {
  const { added_tokens: added, ...parts } = parseValue(outline, parseJson(json, file), file);
  const model = part(models, parts.model, "model");
  const ids = checkVocabulary(model["vocab"], vocabularySize);
  checkKnown(ids, String(model["unk_token"]));
  addTokens(ids, added, vocabularySize);
  return JSON.stringify({
    version: "1.0",
    truncation: null,
    padding: null,
    added_tokens: added,
    normalizer: sequence(normalizers, parts.normalizer, ["normalizer", "normalizers"]),
    pre_tokenizer: sequence(preTokenizers, parts.pre_tokenizer, ["pre_tokenizer", "pretokenizers"]),
    post_processor: checkedProcessor(parts.post_processor, ids),
    // What follows from the model, whatever the file says: pieces become words, and without the
    // clean-up, which contracts words, they are the text again.
    decoder: { type: "WordPiece", prefix: model["continuing_subword_prefix"], cleanup: false },
    model,
  });
}

type Part = { readonly type: string } & Readonly<Record<string, unknown>>;

/** A part of one of the kinds, with the fields that are known. */
function part(kinds: Kinds, value: unknown, field: string): Part {
  const type = isObject(value) ? value["type"] : undefined;
  const schema = typeof type === "string" && Object.hasOwn(kinds, type) ? kinds[type] : undefined;
  if (schema === undefined)
    throw new StrataError(
      "UNSUPPORTED",
      `Cannot read ${file} ${field}: it is ` +
        (typeof type === "string" ? `"${type}"` : "no part") +
        `, expected ${Object.keys(kinds).join(", ")}`,
    );
  return { type: String(type), ...parseValue(schema, value, `${file} ${field}`) };
}

/** A part, a sequence of parts that are no sequences, or nothing. */
function sequence(
  kinds: Kinds,
  value: unknown,
  [field, members]: readonly [string, string],
): Part | null {
  if (value === null || value === undefined) return null;
  if (!isObject(value) || value["type"] !== "Sequence") return part(kinds, value, field);
  const list = z.array(z.unknown()).max(limits.tokenizerPartCountMax);
  const found = parseValue(list, value[members], `${file} ${field} ${members}`);
  const parts = found.map((member, index) => part(kinds, member, `${field} ${members} ${index}`));
  return { type: "Sequence", [members]: parts };
}

/** The ids by token: each below the model's size, and each given once. */
function checkVocabulary(vocabulary: unknown, vocabularySize: number): Map<string, number> {
  const ids = new Map<string, number>();
  const taken = new Set<number>();
  for (const [token, value] of Object.entries(vocabulary ?? {})) {
    const found = checkedId(token, value, vocabularySize);
    if (taken.has(found)) throw fault(`token "${shown(token)}" has the id ${found} of another one`);
    taken.add(found);
    ids.set(token, found);
  }
  return ids;
}

function checkedId(token: string, value: unknown, vocabularySize: number): number {
  if (token.length > limits.tokenCharactersMax)
    throw fault(`token "${shown(token)}" has more than ${limits.tokenCharactersMax} characters`);
  if (typeof value === "number" && Number.isInteger(value) && value >= 0 && value < vocabularySize)
    return value;
  throw fault(
    `token "${shown(token)}" has the id ${JSON.stringify(value)}, ` +
      `the model has the ids 0 to ${vocabularySize - 1}`,
  );
}

/** The library gives an added token that the vocabulary lacks the next id, whatever it says. */
function addTokens(
  ids: Map<string, number>,
  added: readonly AddedToken[],
  vocabularySize: number,
): void {
  const seen = new Set<string>();
  const taken = new Set(ids.values());
  for (const { content, id: given } of added) {
    if (seen.has(content)) throw fault(`"${shown(content)}" is added twice`);
    seen.add(content);
    const known = ids.get(content);
    const expected = known ?? ids.size;
    if (checkedId(content, given, vocabularySize) !== expected)
      throw fault(`"${shown(content)}" is added with the id ${given}, expected ${expected}`);
    if (known === undefined && taken.has(given))
      throw fault(`"${shown(content)}" is added with the id ${given} of another token`);
    ids.set(content, given);
    taken.add(given);
  }
}

/** A text's tokens stand between special ones, so that no text is without a token. */
function checkedProcessor(value: unknown, ids: ReadonlyMap<string, number>): object {
  const field = `${file} post_processor`;
  const found = part(processors, value, "post_processor");
  if (found.type !== "TemplateProcessing") {
    const { sep, cls } = parseValue(processors.BertProcessing, value, field);
    for (const [token, its] of [sep, cls]) checkKnown(ids, token, its);
    return { type: "BertProcessing", sep, cls };
  }
  const { single, special_tokens: special } = parseValue(
    processors.TemplateProcessing,
    value,
    field,
  );
  const names = single.flatMap((one) => ("SpecialToken" in one ? [one.SpecialToken.id] : []));
  if (names.length !== single.length - 1) throw fault("post_processor single has not one text");
  const used = [...new Set(names)].map((name) => {
    const token = Object.hasOwn(special, name) ? special[name] : undefined;
    if (token === undefined) throw fault(`post_processor special_tokens lacks "${shown(name)}"`);
    checkKnown(ids, token.tokens[0] ?? "", token.ids[0]);
    return [name, token] as const;
  });
  // Pairs of texts are never encoded; the library wants both of them named.
  const texts = ["A", "B"].map((name) => ({ Sequence: { id: name, type_id: 0 } }));
  return { type: found.type, single, pair: texts, special_tokens: Object.fromEntries(used) };
}

function checkKnown(ids: ReadonlyMap<string, number>, token: string, wanted?: number): void {
  const found = ids.get(token);
  if (found === undefined) throw fault(`it has no token "${shown(token)}"`);
  if (wanted !== undefined && wanted !== found)
    throw fault(`token "${shown(token)}" has the ids ${found} and ${wanted}`);
}

function shown(token: string): string {
  return token.length > 40 ? `${token.slice(0, 40)}…` : token;
}

function fault(state: string): StrataError {
  return new StrataError("INVALID_ARGUMENT", `Cannot read ${file}: ${state}`);
}
