/** Text of strangers on terminals and in messages, and what of it nothing takes. */

/** NUL cannot be stored as text everywhere; a lone surrogate has no UTF-8. */
export const unstorableText: RegExp = /[\0\p{Surrogate}]/u;

/**
 * The text with what cannot be seen written out, such as `\u{200b}`: controls, formats, white space
 * beyond the plain space, and marks that a composed letter could stand for. For labels and names.
 */
export function visible(text: string): string {
  const invisible =
    text === text.normalize("NFC")
      ? /[\p{Cf}\p{Cc}\p{Zl}\p{Zp}]|(?! )\p{Zs}/gu
      : /[\p{Cf}\p{Cc}\p{Zl}\p{Zp}\p{Mn}]|(?! )\p{Zs}/gu;
  return text.replaceAll(
    invisible,
    (character) => `\\u{${(character.codePointAt(0) ?? 0).toString(16)}}`,
  );
}
