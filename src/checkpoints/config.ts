/** A checkpoint's small JSON files, field by field; those that change nothing are ignored. */
import { familyNames } from "../foundation/kind-names.ts";
import { z } from "zod";
import type { EncoderConfig, Pooling } from "../entities/base-model.ts";
import { parse } from "../formats/json.ts";
import type { Casing } from "../formats/tokenizer.ts";
import { StrataError } from "../foundation/errors.ts";
import { limits } from "../foundation/limits.ts";
import { familyOf, isFamily } from "../models/families/families.ts";

const size = (most: number) => z.int().min(1).max(most);

const sizes = z.object({
  hidden_size: size(limits.hiddenSizeMax),
  // Both parts need a layer.
  num_hidden_layers: z.int().min(2).max(limits.layerCountMax),
  num_attention_heads: size(limits.hiddenSizeMax),
  intermediate_size: size(limits.hiddenSizeMax * 8),
  vocab_size: size(limits.vocabularySizeMax),
  max_position_embeddings: size(limits.positionCountMax),
  layer_norm_eps: z.number().positive().max(1),
});

const kind = z.looseObject({ model_type: z.string() });
const segments = z.object({ type_vocab_size: size(16) });

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
  const fields = parse(sizes, text, file);
  if (fields.hidden_size % fields.num_attention_heads !== 0)
    throw unfit(
      `hidden_size ${fields.hidden_size} is no multiple of ` +
        `num_attention_heads ${fields.num_attention_heads}`,
    );
  const positionCount = fields.max_position_embeddings - checkpoint.unusedPositionCount;
  if (positionCount < 1)
    throw unfit(`max_position_embeddings ${fields.max_position_embeddings} leaves no place`);
  return {
    family: name,
    layerCount: fields.num_hidden_layers,
    shallowLayerCount: Math.floor(fields.num_hidden_layers / 2),
    hiddenSize: fields.hidden_size,
    headCount: fields.num_attention_heads,
    intermediateSize: fields.intermediate_size,
    vocabularySize: fields.vocab_size,
    positionCount,
    segmentCount: checkpoint.hasSegments ? parse(segments, text, file).type_vocab_size : 0,
    layerNormEpsilon: fields.layer_norm_eps,
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
