import { examineTask } from "./conformance.ts";
import { textClassification } from "./text-classification.ts";

const labels = ["ham", "spam", "größe"];

examineTask(textClassification, {
  labels,
  examples: labels.map((label, index) => ({
    example: { text: `a text of ${label}`, label },
    words: undefined,
    tokenCount: 3 + index,
    answer: [index],
    lostCount: 0,
    spelled: label,
  })),
});
