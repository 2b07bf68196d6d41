/** The words of a text, as the tokenizer has parted it into them. */

/**
 * Each word has an entry, in their order. A word that was cut off behind the last token is not
 * there.
 */
export interface Words {
  /** Its first token's place in the sequence. */
  readonly tokens: Int32Array;
  /** Its place in the text: code points from `starts` to before `ends`. */
  readonly starts: Int32Array;
  readonly ends: Int32Array;
}
