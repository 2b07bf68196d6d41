/** All forms of examples and all readers of files sit their exams. */
import { examineForm, examineReader } from "./conformance.ts";
import { forms } from "./exam-reading.ts";
import { labelledForm } from "./labelled.ts";
import { markedForm } from "./marked.ts";
import { ConllReader } from "./readers/conll.ts";
import { CsvReader } from "./readers/csv.ts";
import { JsonReader } from "./readers/json.ts";
import { LineReader } from "./readers/lines.ts";

const text = "Ada in Bonn";

examineForm({
  form: labelledForm,
  forms,
  examples: [
    { object: { text, label: "a" }, example: { text, label: "a" }, labels: ["a"] },
    { object: { prompt: text, class: true }, example: { text, label: "true" }, labels: ["true"] },
    { object: { text, label: 7 }, example: { text, label: "7" }, labels: ["7"] },
  ],
  faults: [
    { text, label: {} },
    { text: 5, label: "a" },
  ],
});

const ada = { start: 0, end: 3, label: "who" };
const bonn = { start: 7, end: 11, label: "city" };

examineForm({
  form: markedForm,
  forms,
  examples: [
    { object: { text, entities: [] }, example: { text, entities: [] }, labels: [] },
    {
      object: { text, spans: [bonn, ada] },
      example: { text, entities: [ada, bonn] },
      labels: ["who", "city"],
    },
    {
      object: { tokens: ["Ada", "in", "Bonn"], tags: ["B-who", "O", "O"] },
      example: { text, entities: [ada] },
      labels: ["who"],
    },
  ],
  faults: [
    { text, entities: [ada, { ...bonn, start: 2 }] },
    { text, entities: [ada, { ...bonn, end: 12 }] },
    { text: "", entities: [] },
  ],
});

const source = { filename: "exam" };
examineReader("lines", {
  open: (notes) => new LineReader(notes),
  text: "one\n\n two\nthree",
  rows: [
    [1, "one"],
    [3, " two"],
    [4, "three"],
  ],
});

examineReader("CSV", {
  open: (notes) => new CsvReader({ isLabelled: true, notes, source }),
  text: 'text,label\none,a\n"two\nlines, ""b""",b\nthree\nfour,d\n',
  rows: [
    [2, "one"],
    [3, 'two\nlines, "b"'],
    [5, "record has"],
    [6, "four"],
  ],
});

for (const isArray of [false, true]) {
  const [open, between, close] = isArray ? ["[", ",", "]"] : ["", "", ""];
  const [one, two] = ['{"text":"one","label":"a"}', '{\n"text":"two","label":"b\\n"}'];
  examineReader(isArray ? "a JSON array" : "JSON", {
    open: (notes) => new JsonReader({ forms, isLabelled: true, notes, isArray }),
    text: `${open}${[one, two, one].join(`${between}\n`)}${close}\n`,
    rows: [
      [1, "one"],
      [2, "two"],
      [4, "one"],
    ],
  });
}

examineReader("CoNLL columns", {
  open: (notes) => new ConllReader({ isLabelled: true, notes }),
  text: "Ada B-who\nin O\nBonn B-city\n\nalone\n\nBonn B-city",
  rows: [
    [1, "Ada in Bonn"],
    [5, "expected a word"],
    [7, "Bonn"],
  ],
});
