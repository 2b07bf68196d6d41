/**
 * Text to ids by the Rust core of `tokenizers`, off the event loop. A tokenizer object carries its
 * truncation as state, so each `Tokenizer` owns one and never changes it. Callers cap characters
 * (`limits.inputCharactersMax`): the work is linear in them, about 2 s a million at worst.
 */
import {
  bertNormalizer,
  bertPreTokenizer,
  bertProcessing,
  type Encoding,
  Tokenizer as RustTokenizer,
  WordPiece,
  wordPieceDecoder,
} from "tokenizers";
import { StrataError, wrapError } from "../foundation/errors.ts";
import type { SpecialTokens } from "../entities/base-model.ts";
import type { Words } from "../entities/words.ts";
import type { Encoded, EncodedWords, Tokenizer } from "./formats.ts";
import { checkedTokenizer } from "./tokenizer-json.ts";

/** A tokenizer of `tokenizer.json`, checked part by part; its own cuts and padding are replaced. */
export function tokenizerOfJson(json: string, size: TokenizerOptions): Tokenizer {
  const checked = checkedTokenizer(json, size.vocabularySize);
  try {
    return new CuttingTokenizer(RustTokenizer.fromString(checked), size);
  } catch (error) {
    throw wrapError(error, "INVALID_ARGUMENT", "Cannot read tokenizer.json");
  }
}

export interface TokenizerOptions {
  /** How many ids the model knows. */
  readonly vocabularySize: number;
  readonly tokensMax: number;
  readonly special: SpecialTokens;
}

/** The tokenizer of a `vocab.txt`, one token a line, as BERT's own tokenizer reads it. */
export function tokenizerOfVocabulary(vocabulary: string, options: VocabularyOptions): Tokenizer {
  const { casing, vocabularySize, special } = options;
  const tokens = vocabulary.split(/\r?\n/);
  if (tokens.at(-1) === "") tokens.pop();
  if (tokens.length > vocabularySize)
    throw new StrataError(
      "INVALID_ARGUMENT",
      `Cannot open tokenizer: it has ${tokens.length} tokens, the model knows ${vocabularySize}`,
    );
  const ids = Object.fromEntries(tokens.map((token, id) => [token, id]));
  const own = listOf(special);
  for (const token of own) if (!Object.hasOwn(ids, token)) throw missing(token);
  const model = WordPiece.init(ids, { unkToken: special.unknown, maxInputCharsPerWord: 100 });
  const tokenizer = new RustTokenizer(model);
  // Without its clean-up, which contracts words: what a sequence spells must give it again.
  tokenizer.setDecoder(wordPieceDecoder("##", false));
  tokenizer.setNormalizer(
    bertNormalizer({
      cleanText: true,
      handleChineseChars: casing.splitsChinese,
      stripAccents: casing.stripsAccents,
      lowercase: casing.isLowercase,
    }),
  );
  tokenizer.setPreTokenizer(bertPreTokenizer());
  const withId = (token: string): [string, number] => [token, ids[token] ?? 0];
  tokenizer.setPostProcessor(bertProcessing(withId(special.last), withId(special.first)));
  tokenizer.addSpecialTokens(own);
  return new CuttingTokenizer(tokenizer, options);
}

/** What BERT's own tokenizer does to a text before it looks words up. */
export interface Casing {
  readonly isLowercase: boolean;
  readonly stripsAccents: boolean;
  readonly splitsChinese: boolean;
}

export interface VocabularyOptions extends TokenizerOptions {
  readonly casing: Casing;
}

function listOf({ padding, unknown, first, last, mask }: SpecialTokens): string[] {
  return [padding, unknown, first, last, mask];
}

class CuttingTokenizer implements Tokenizer {
  readonly vocabularySize: number;
  readonly padId: number;
  readonly maskId: number | undefined;
  readonly #tokenizer: RustTokenizer;
  readonly #special: SpecialTokens;

  constructor(tokenizer: RustTokenizer, { tokensMax, special }: TokenizerOptions) {
    tokenizer.disablePadding();
    tokenizer.setTruncation(tokensMax);
    const padId = tokenizer.tokenToId(special.padding);
    if (padId === null) throw missing(special.padding);
    this.#tokenizer = tokenizer;
    this.#special = special;
    this.padId = padId;
    this.maskId = tokenizer.tokenToId(special.mask) ?? undefined;
    this.vocabularySize = tokenizer.getVocabSize(true);
  }

  async encode(texts: readonly string[]): Promise<Encoded> {
    const encodings = await this.#tokenizer.encodeBatch([...texts]);
    return encodedOf(encodings);
  }

  async encodeWords(texts: readonly string[]): Promise<EncodedWords> {
    const encodings = await this.#tokenizer.encodeBatch([...texts]);
    return { ...encodedOf(encodings), words: encodings.map(wordsOf) };
  }

  async isOwn(lists: readonly Int32Array[]): Promise<readonly boolean[]> {
    const idOf = (token: string): number | null => this.#tokenizer.tokenToId(token);
    const [first, last] = [idOf(this.#special.first), idOf(this.#special.last)];
    const forbidden = new Set(listOf(this.#special).map(idOf));
    forbidden.delete(idOf(this.#special.unknown));
    const inner = lists.map((list) => [...list.subarray(1, -1)]);
    const texts = await this.#tokenizer.decodeBatch(inner, false);
    const { ids } = await this.encode(texts);
    return lists.map(
      (list, index) =>
        list[0] === first &&
        list.at(-1) === last &&
        !inner[index]?.some((id) => forbidden.has(id)) &&
        areEqual(list, ids[index] ?? new Int32Array()),
    );
  }
}

function encodedOf(encodings: readonly Encoding[]): Encoded {
  return {
    ids: encodings.map((encoding) => Int32Array.from(encoding.getIds())),
    isTruncated: encodings.map((encoding) => encoding.getOverflowing().length > 0),
  };
}

/** Tokens of one word stand together; special ones are of none. Offsets count code points. */
function wordsOf(encoding: Encoding): Words {
  const tokens: number[] = [];
  const starts: number[] = [];
  const ends: number[] = [];
  let last: number | undefined;
  for (const { token, word, start, end } of placesIn(encoding)) {
    if (word === last) ends[ends.length - 1] = end;
    else {
      tokens.push(token);
      starts.push(start);
      ends.push(end);
    }
    last = word;
  }
  // Of what was cut off, the end of the last word is wanted that is kept.
  const [rest] = encoding.getOverflowing();
  for (const { word, end } of rest === undefined ? [] : placesIn(rest)) {
    if (word !== last) break;
    ends[ends.length - 1] = end;
  }
  return {
    tokens: Int32Array.from(tokens),
    starts: Int32Array.from(starts),
    ends: Int32Array.from(ends),
  };
}

interface TokenPlace {
  readonly token: number;
  readonly word: number;
  readonly start: number;
  readonly end: number;
}

/** Those of tokens that belong to a word. */
function* placesIn(encoding: Encoding): Generator<TokenPlace> {
  const offsets = encoding.getOffsets();
  for (const [token, id] of encoding.getWordIds().entries()) {
    const [start = 0, end = 0] = offsets[token] ?? [];
    if (typeof id === "number") yield { token, word: id, start, end };
  }
}

function areEqual(a: Int32Array, b: Int32Array): boolean {
  return a.length === b.length && a.every((id, place) => id === b[place]);
}

function missing(token: string): StrataError {
  return new StrataError("INVALID_ARGUMENT", `Cannot open tokenizer: it has no token "${token}"`);
}
