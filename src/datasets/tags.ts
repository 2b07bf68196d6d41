/**
 * Tags of words become entities. Files tag in several schemes, which read alike: BIO (IOB2), IOB1
 * (`B-` between neighbours of one type only), IO, IOE, BIOES, BILOU, BMES, and types by themselves.
 */

/** The words from `start` to before `end` name a thing of this type. */
export interface WordSpan {
  readonly start: number;
  readonly end: number;
  readonly type: string;
}

/** What a word has that is part of no entity. */
export const outsideTag = "O";

/** Prefixes by what they do; `U`, `S`: a unit, a single one; `L`, `E`: the last, the end. */
const [beginning, closing] = [/^[BSU]$/, /^[ELSU]$/];

/** The prefix of a tag, `I` where it is a type by itself, and its type; undefined for `O`. */
function partsOf(tag: string): { readonly prefix: string; readonly type: string } | undefined {
  if (tag === outsideTag) return undefined;
  const [, prefix = "I", type = tag] = /^([BIESLUM])-(.+)$/s.exec(tag) ?? [];
  return { prefix, type };
}

/**
 * The entities that the tags of a sentence's words mean. A word continues the entity before it
 * when its type is the same, its tag does not begin one, and the tag before did not close it; else
 * it begins one. Source: `conlleval` of CoNLL-2000, and BIOES as in Ratinov and Roth 2009.
 */
export function spansOf(tags: readonly string[]): readonly WordSpan[] {
  const spans: WordSpan[] = [];
  let isOpen = false;
  for (const [index, tag] of tags.entries()) {
    const parts = partsOf(tag);
    const last = spans.at(-1);
    const { prefix, type } = parts ?? { prefix: "", type: "" };
    if (parts !== undefined && isOpen && last?.type === type && !beginning.test(prefix))
      spans[spans.length - 1] = { ...last, end: index + 1 };
    else if (parts !== undefined) spans.push({ start: index, end: index + 1, type });
    isOpen = parts !== undefined && !closing.test(prefix);
  }
  return spans;
}

/** Whether a word of a file stands for a tag rather than for itself: `O`, or a prefix and type. */
export function isTag(word: string): boolean {
  return /^(O|[BIESLUM]-\S+)$/.test(word);
}

/** Types that are written where a file means no entity. */
const suspectTypes: ReadonlySet<string> = new Set(["o", "_", "-", "0"]);

/** Counts a file's tags by their kind, for what the user may not have meant. */
export class TagUse {
  readonly #suspects = new Set<string>();
  #outsideCount = 0;
  #prefixedCount = 0;
  #bareCount = 0;

  add(tags: readonly string[]): void {
    for (const tag of tags) {
      if (tag === outsideTag) this.#outsideCount += 1;
      else if (isTag(tag)) this.#prefixedCount += 1;
      else this.#bareCount += 1;
      if (suspectTypes.has(tag)) this.#suspects.add(tag);
    }
  }

  warnings(): readonly string[] {
    const [prefixed, bare] = [this.#prefixedCount, this.#bareCount];
    const warnings = [...this.#suspects].map(
      (tag) => `the tag "${tag}" is taken for a label: words outside of all entities have "O"`,
    );
    if (prefixed > 0 && bare > 0)
      warnings.push(`${prefixed} tags have a prefix, such as "B-", and ${bare} are bare types`);
    if (prefixed + bare > 0 && this.#outsideCount === 0)
      warnings.push('no word has the tag "O", which says that it is outside of all entities');
    return warnings;
  }
}
