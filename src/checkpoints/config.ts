/** A checkpoint's small JSON files, field by field; those that change nothing are ignored. */
import { familyNames } from "../foundation/kind-names.ts";
import { z } from "zod";
import type { EncoderConfig, Pooling } from "../entities/base-model.ts";
import { parse } from "../formats/json.ts";
import type { Casing } from "../formats/tokenizer.ts";
import { StrataError } from "../foundation/errors.ts";
import { limits } from "../foundation/limits.ts";
import { present } from "../foundation/assert.ts";
import type { CheckpointLayout, SizeName } from "../models/family.ts";
import { familyOf, isFamily } from "../models/families/families.ts";

const size = (most: number) => z.int().min(1).max(most);

const sizes: Readonly<Record<SizeName, z.ZodType<number>>> = {
  hiddenSize: size(limits.hiddenSizeMax),
  // Both parts need a layer.
  layerCount: z.int().min(2).max(limits.layerCountMax),
  headCount: size(limits.hiddenSizeMax),
  intermediateSize: size(limits.hiddenSizeMax * 8),
  vocabularySize: size(limits.vocabularySizeMax),
  positionCount: size(limits.positionCountMax),
  layerNormEpsilon: z.number().positive().max(1),
  segmentCount: size(16),
};

const kind = z.looseObject({ model_type: z.string() });

const pooling = z.object({
  pooling_mode_cls_token: z.boolean().default(false),
  pooling_mode_mean_tokens: z.boolean().default(false),
  pooling_mode_max_tokens: z.boolean().default(false),
  pooling_mode_mean_sqrt_len_tokens: z.boolean().default(false),
  pooling_mode_weightedmean_tokens: z.boolean().default(false),
  pooling_mode_lasttoken: z.boolean().default(false),
});

const sequence = z.object({ max_seq_length: z.int().min(3).nullish() });
const modules = z.array(z.object({ type: z.string() }));
const casing = z.object({
  do_lower_case: z.boolean().default(true),
  strip_accents: z.boolean().nullish(),
  tokenize_chinese_chars: z.boolean().default(true),
});

/** `config.json`. UNSUPPORTED for another family or variant, INVALID_ARGUMENT for a bad field. */
export function parseConfig(text: string): EncoderConfig {
  const file = "config.json";
  const { model_type: name, ...others } = parse(kind, text, file);
  const known = familyNames.map((family) => `"${family}"`).join(", ");
  if (!isFamily(name)) throw unsupported(file, `model_type "${name}", expected ${known}`);
  const { checkpoint } = familyOf({ family: name });
  for (const [field, expected] of Object.entries(checkpoint.fixedFields)) {
    const found = JSON.stringify(others[field] ?? expected);
    const wanted = JSON.stringify(expected);
    expect(found === wanted, file, `${field} ${found}, expected ${wanted}`);
  }
  return { family: name, ...parseSizes(text, checkpoint) };
}

/** The sizes, by the names that the family's checkpoints have for them. */
export function parseSizes(
  text: string,
  { sizes: names, unusedPositionCount }: CheckpointLayout,
): Omit<EncoderConfig, "family"> {
  // `Object.entries` of a record knows its keys as texts alone.
  const wanted = Object.entries(names) as [SizeName, string | number][]; // as just said
  const told = wanted.filter(([, name]) => typeof name === "string");
  const schema = z.object(Object.fromEntries(told.map(([of, name]) => [name, sizes[of]])));
  const fields = parse(schema, text, "config.json");
  const sizeOf = (of: SizeName): number => {
    const name = names[of];
    return typeof name === "number" ? name : present(fields[name], "a field that was parsed");
  };
  const [hiddenSize, headCount] = [sizeOf("hiddenSize"), sizeOf("headCount")];
  if (hiddenSize % headCount !== 0)
    throw unfit(
      `${names.hiddenSize} ${hiddenSize} is no multiple of ${names.headCount} ${headCount}`,
    );
  const positionCount = sizeOf("positionCount") - unusedPositionCount;
  if (positionCount < 1)
    throw unfit(`${names.positionCount} ${sizeOf("positionCount")} leaves no place`);
  const layerCount = sizeOf("layerCount");
  return {
    layerCount,
    shallowLayerCount: Math.floor(layerCount / 2),
    hiddenSize,
    headCount,
    intermediateSize: sizeOf("intermediateSize"),
    vocabularySize: sizeOf("vocabularySize"),
    positionCount,
    segmentCount: sizeOf("segmentCount"),
    layerNormEpsilon: sizeOf("layerNormEpsilon"),
  };
}

function unfit(state: string): StrataError {
  return new StrataError("INVALID_ARGUMENT", `Cannot read config.json: ${state}`);
}

/** `1_Pooling/config.json`; without one the mean, as sentence-transformers has it. */
export function parsePooling(text: string | undefined): Pooling {
  if (text === undefined) return "mean";
  const modes = parse(pooling, text, "1_Pooling/config.json");
  const chosen = Object.entries(modes).filter(([, isChosen]) => isChosen);
  const names = chosen.map(([name]) => name).join(", ");
  if (names === "pooling_mode_mean_tokens") return "mean";
  expect(
    names === "pooling_mode_cls_token",
    "1_Pooling/config.json",
    `pooling "${names}", expected the first token or the mean`,
  );
  return "cls";
}

/** `sentence_bert_config.json`: the longest sequence in tokens, or undefined when it says none. */
export function parseTokensMax(text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  return parse(sequence, text, "sentence_bert_config.json").max_seq_length ?? undefined;
}

/** `modules.json` of sentence-transformers: a layer after pooling would be left out silently. */
export function checkModules(text: string | undefined): void {
  if (text === undefined) return;
  for (const { type } of parse(modules, text, "modules.json")) {
    const isKnown = /\.(Transformer|Pooling|Normalize)$/.test(type);
    expect(
      isKnown,
      "modules.json",
      `the module "${type}", expected Transformer, Pooling, Normalize`,
    );
  }
}

/** `tokenizer_config.json`; without one the defaults of BERT's tokenizer. */
export function parseCasing(text: string | undefined): Casing {
  const fields = parse(casing, text ?? "{}", "tokenizer_config.json");
  return {
    isLowercase: fields.do_lower_case,
    stripsAccents: fields.strip_accents ?? fields.do_lower_case,
    splitsChinese: fields.tokenize_chinese_chars,
  };
}

function expect(condition: boolean, file: string, state: string): void {
  if (!condition) throw unsupported(file, state);
}

function unsupported(file: string, state: string): StrataError {
  return new StrataError("UNSUPPORTED", `Cannot open checkpoint: ${file} has ${state}`);
}
