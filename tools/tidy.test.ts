import { deepEqual, equal, match, notEqual } from "node:assert/strict";
import { describe, test } from "node:test";
import { tidy } from "./tidy.ts";

/** A tree without faults; each test changes one thing in it. */
const sound: Readonly<Record<string, string>> = {
  "ARCHITECTURE.md": [
    "| layer | folder | the idea | may import |",
    "| --- | --- | --- | --- |",
    "| 0 | `ground/` | what all stand on | node: |",
    "| 1 | `nouns/` | types; pure | ground |",
    "| 1 | `graphs/` | a language; pure | ground |",
    "| 2 | `runtime/` | runs graphs | graphs |",
    "| 3 | `engine/` | joins them | runtime nouns |",
    "| 4 | `main/` | wires | down |",
    "",
  ].join("\n"),
  "src/ground/ground.ts": '/** Ground. */\nimport { ok } from "node:assert";\n',
  "src/nouns/noun.ts": '/** Nouns. */\nimport type { A } from "../ground/ground.ts";\n',
  "src/nouns/noun.test.ts": 'import { test } from "node:test";\n',
  "src/graphs/graph.ts": '/** Graphs. */\nimport type { A } from "../ground/ground.ts";\n',
  "src/runtime/ort/session.ts": [
    "/** Sessions. */",
    'import * as ort from "onnxruntime-node";',
    'import { A } from "../../graphs/graph.ts";',
    "",
  ].join("\n"),
  "src/engine/engine.ts": [
    "/** Engine. */",
    'import { A } from "../runtime/ort/session.ts";',
    'import type { B } from "../nouns/noun.ts";',
    "",
  ].join("\n"),
  "src/main/main.ts": '/** Main. */\nimport { A } from "../engine/engine.ts";\n',
};

/** The messages about the sound tree after the change; undefined takes a file away. */
function faults(change: Readonly<Record<string, string | undefined>>): string[] {
  const tree = new Map<string, string>();
  for (const [path, text] of Object.entries({ ...sound, ...change })) {
    if (text !== undefined) tree.set(path, text);
  }
  return tidy(tree).map(({ path, line, message }) => `${path}:${line}: ${message}`);
}

/** The faults of one more file, `src/engine/x.ts`, with this code. */
function faultsOf(code: string): string[] {
  return faults({ "src/engine/x.ts": `/** X. */\n${code}\n` });
}

function fails(found: readonly string[], expected: RegExp): void {
  notEqual(found.length, 0, "nothing was found");
  for (const fault of found) match(fault, expected);
}

test("a tree that keeps the rules has no faults", () => deepEqual(faults({}), []));

describe("layers", () => {
  test("down, over several steps, and within a folder is allowed", () => {
    deepEqual(faultsOf('import { a } from "../ground/ground.ts";'), []);
    deepEqual(faultsOf('import { a } from "../graphs/graph.ts";'), []);
    deepEqual(faultsOf('import { a } from "./engine.ts";'), []);
  });
  test("up is refused, by every form of import", () => {
    const up = [
      'import { a } from "../main/main.ts";',
      'import type { a } from "../main/main.ts";',
      'import {\n  a,\n} from "../main/main.ts";',
      'import "../main/main.ts";',
      'const a = await import("../main/main.ts");',
      'type A = import("../main/main.ts").A;',
      'new Worker(new URL("../main/main.js", import.meta.url));',
    ];
    for (const code of up)
      fails(
        faults({ "src/engine/x.ts": `/** X. */\n${code}\n`, "src/main/main.ts": "/** Main. */\n" }),
        /^src\/engine\/x\.ts:\d: engine\/ may not import main\//,
      );
  });
  test("sideways is refused, except to tests and what they share", () => {
    const text = '/** A. */\nimport { a } from "../graphs/graph.ts";\n';
    fails(faults({ "src/nouns/a.ts": text }), /a\.ts:2: nouns\/ may not import graphs\//);
    deepEqual(faults({ "src/nouns/a.test.ts": text, "src/nouns/exam-a.ts": text }), []);
    const up = 'import { a } from "../engine/engine.ts";\n';
    fails(faults({ "src/nouns/a.test.ts": up }), /a\.test\.ts:1: nouns\/ may not import engine/);
  });
  test("product code that imports what only tests run is refused", () => {
    const exam = { "src/engine/exam-a.ts": "/** A. */\n" };
    const importing = '/** X. */\nimport { a } from "./exam-a.ts";\n';
    fails(faults({ ...exam, "src/engine/x.ts": importing }), /x\.ts:2: product code imports/);
    deepEqual(faults({ ...exam, "src/engine/x.test.ts": importing }), []);
  });
  test("a lower folder that no row on the way names is refused", () => {
    const code = '/** X. */\nimport { a } from "../nouns/noun.ts";\n';
    fails(faults({ "src/runtime/x.ts": code }), /runtime\/ may not import nouns\//);
  });
  test("an import that leaves src is refused, also from where all is wired", () => {
    fails(faultsOf('import { a } from "../../tools/a.ts";'), /engine\/ may not import tools\//);
    fails(faultsOf('import { a } from "../../bench/a.ts";'), /engine\/ may not import bench\//);
    const fromMain = { "src/main/x.ts": '/** X. */\nimport "../../bench/a.ts";\n' };
    fails(faults(fromMain), /main\/ may not import bench\//);
  });
  test("an import in a comment or in a string is none", () => {
    deepEqual(faultsOf('// import { a } from "../main/main.ts";'), []);
    deepEqual(faultsOf("const a = 'import { a } from \"../main/main.ts\";';"), []);
    deepEqual(faultsOf('const a = `${b} import("../main/main.ts") ${`}`}`;'), []);
  });
  test("a folder without a row is refused", () => {
    fails(faults({ "src/new/a.ts": "/** A. */\n" }), /no row for src\/new\//);
  });
  test("a row without a folder is refused", () => {
    fails(
      faults({ "src/graphs/graph.ts": undefined }),
      /:5: .*graphs\/(?: has no content|, which is not there)/,
    );
  });
  test("a row that names a folder of the same layer, or none, is refused", () => {
    const table = sound["ARCHITECTURE.md"] ?? "";
    const sideways = table.replace("types; pure | ground", "types; pure | ground graphs");
    fails(faults({ "ARCHITECTURE.md": sideways }), /:4: nouns may not import graphs/);
    const unknown = table.replace("types; pure | ground", "types; pure | ground nothing");
    fails(faults({ "ARCHITECTURE.md": unknown }), /:4: nouns may not import nothing/);
  });
  test("a row that names what no product file of its folder imports is refused", () => {
    const exam = 'import { A } from "../nouns/noun.ts";\n';
    const found = faults({
      "src/engine/engine.ts": '/** Engine. */\nimport { A } from "../runtime/ort/session.ts";\n',
      "src/engine/engine.test.ts": exam,
      "src/engine/exam-a.ts": `/** A. */\n${exam}`,
    });
    deepEqual(found, ["ARCHITECTURE.md:7: no file of engine/ imports nouns"]);
    fails(
      faults({ "src/ground/ground.ts": "/** Ground. */\n" }),
      /:3: no file of ground\/ .*node:/,
    );
  });
  test("files that import each other are refused, type imports too", () => {
    const found = faults({
      "src/engine/a.ts": '/** A. */\nimport type { B } from "./b.ts";\n',
      "src/engine/b.ts": '/** B. */\nimport { a } from "./c.ts";\n',
      "src/engine/c.ts": '/** C. */\nimport { a } from "./a.ts";\n',
    });
    equal(found.length, 1);
    match(
      found[0] ?? "",
      /a\.ts -> src\/engine\/b\.ts -> src\/engine\/c\.ts -> src\/engine\/a\.ts/,
    );
  });
  test("files that share an import form no cycle", () => {
    const shared = '/** A. */\nimport { a } from "./engine.ts";\n';
    deepEqual(faults({ "src/engine/a.ts": shared, "src/engine/b.ts": shared }), []);
  });
  test("onnxruntime-node is refused outside runtime/ort", () => {
    const code = 'import * as ort from "onnxruntime-node";\n';
    fails(faults({ "src/runtime/x.ts": `/** X. */\n${code}` }), /x\.ts:2: only src\/runtime\/ort/);
    fails(faults({ "bench/x.ts": code }), /x\.ts:1: only src\/runtime\/ort/);
  });
  test("node: is refused in a pure folder, except in its exams", () => {
    const code = '/** X. */\nimport { test } from "node:test";\n';
    fails(faults({ "src/nouns/x.ts": code }), /nouns\/ is pure and may not import node:test/);
    deepEqual(faults({ "src/nouns/x.test.ts": code, "src/nouns/conformance.ts": code }), []);
  });
});

describe("names", () => {
  test("two folders below src are allowed, three are refused", () => {
    deepEqual(faults({ "src/engine/a/b.ts": "/** B. */\n" }), []);
    fails(faults({ "src/engine/a/b/c.ts": "/** C. */\n" }), /deeper than two folders/);
  });
  test("a file of no folder is refused", () => {
    fails(faults({ "src/a.ts": "/** A. */\n" }), /no folder of the layer table/);
  });
  test("kebab-case is asked for", () => {
    deepEqual(faults({ "tools/two-words.test.ts": "" }), []);
    fails(faults({ "tools/twoWords.ts": "" }), /"twoWords\.ts" is not kebab-case/);
    fails(faults({ "tools/two_words.py": "" }), /"two_words\.py" is not kebab-case/);
  });
  test("names that say nothing are refused, handle outside http only", () => {
    fails(faults({ "src/engine/queue-utils.ts": "/** A. */\n" }), /"utils" says nothing/);
    fails(faults({ "src/engine/handle.ts": "/** A. */\n" }), /"handle" says nothing/);
    fails(faultsOf("export class SlotManager {}"), /x\.ts:2: "manager" says nothing/);
    fails(faultsOf("export const tensorInfo = 1;"), /x\.ts:2: "info" says nothing/);
    deepEqual(faultsOf("export function readDataset() {}\nexport type DataType = 1;"), []);
    const http = {
      "src/http/handle.ts": "/** H. */\nexport function handle() {}\n",
      "ARCHITECTURE.md": `${sound["ARCHITECTURE.md"]}| 4 | \`http/\` | http | down |\n`,
    };
    deepEqual(faults(http), []);
  });
  test("a barrel is refused, by its name and by its content", () => {
    fails(faults({ "src/engine/index.ts": "/** I. */\n" }), /a barrel/);
    fails(faultsOf('export { a } from "./engine.ts";'), /x\.ts:2: a barrel/);
    fails(faultsOf('export type {\n  A,\n} from "./engine.ts";'), /x\.ts:2: a barrel/);
    fails(faultsOf('export * from "./engine.ts";'), /x\.ts:2: a barrel/);
    deepEqual(faultsOf('export { a };\nconst b = Array.from("abc");'), []);
  });
});

describe("lines", () => {
  test("an open end is a TODO with the number of its issue", () => {
    deepEqual(faultsOf("// TODO(#12): more"), []);
    deepEqual(faultsOf('const a = "FIXME";'), []);
    for (const word of ["FIXME", "XXX", "HACK", "TODO", "TODO(me)"])
      fails(faultsOf(`a(); // ${word}: more`), /x\.ts:2: .*TODO/);
  });
  test("a doc comment that begins with a preposition is refused", () => {
    for (const comment of ["/** Of each row. */", "/**\n * Where it lies.\n */", "/** By name. */"])
      fails(faultsOf(`${comment}\nconst a = 1;`), /x\.ts:2: a doc comment begins with/);
    deepEqual(faultsOf("/** Rows of each table. */\nconst a = 1; // of no table"), []);
    deepEqual(faultsOf('const a = "/** Of each row. */";'), []);
  });
  test("a doc comment that begins with a participle is refused", () => {
    fails(faultsOf("/** Called when it is over. */\nconst a = 1;"), /not with a participle/);
    deepEqual(faultsOf("/** It is called when it is over. */\nconst a = 1;"), []);
  });
  test("as carries a reason", () => {
    fails(faultsOf("const a = b as C;"), /x\.ts:2: "as" without a reason/);
    fails(faultsOf("const a = [b] as readonly C[];"), /"as" without a reason/);
    deepEqual(faultsOf("const a = b as C; // the schema has checked it"), []);
    fails(faultsOf("const a = b as unknown as C;"), /"as" without a reason/);
    deepEqual(faultsOf("const a = [1] as const;\nconst b = JSON.parse(c) as unknown;"), []);
    deepEqual(faultsOf('import * as a from "node:fs";\nimport { a as b } from "node:fs";'), []);
    deepEqual(faultsOf('import {\n  a as b,\n  c,\n} from "node:fs";\nexport { b as d };'), []);
    deepEqual(faultsOf('const a = "b as C";\n/* b as C */'), []);
    deepEqual(faultsOf("type A = { [K in B as C<K>]: K };"), []);
  });
  test("! carries a reason", () => {
    for (const code of ["a!.b();", "const c = a[0]!;", "f(a()!, b);", "class A { b!: C; }"])
      fails(faultsOf(code), /x\.ts:2: "!" without a reason/);
    deepEqual(faultsOf("const c = a[0]!; // a is never empty"), []);
    deepEqual(faultsOf("if (!a && a !== b && c != d) return !e;"), []);
    deepEqual(faultsOf("const a = /[a-z]!/.test('b!') ? `c!` : d / e;"), []);
  });
  test("every test runs", () => {
    fails(faultsOf("test.only('a', f);"), /a test is left out/);
    fails(faultsOf("describe.skip('a', f);"), /a test is left out/);
    fails(faultsOf("test('a', { skip: true }, f);"), /a test is left out/);
    deepEqual(faultsOf("test('a', { skip: isAbsent }, f);"), []);
  });
  test("powers whose last bits differ between engines are refused", () => {
    for (const code of ["a ** 3", "a ** 0.5", "a ** 2.5", "12 ** b", "0.2 ** b", "Math.pow(a, b)"])
      fails(faultsOf(`const c = ${code};`), /x\.ts:2: a power's last bits/);
    deepEqual(faultsOf("const c = a ** 2 + 2 ** b + 2 ** -24;\nconst d = '3 ** b';"), []);
    deepEqual(faults({ "src/engine/x.test.ts": "const c = 3 ** 3;\n" }), []);
  });
  test("a line has at most 100 characters, unless it is an address", () => {
    const line = (count: number): string => `//${"a".repeat(count - 2)}`;
    deepEqual(faultsOf(line(100)), []);
    fails(faultsOf(line(101)), /x\.ts:2: has 101 characters/);
    deepEqual(faultsOf(`// https://${"a".repeat(100)}`), []);
  });
  test("a file of src says what it is for", () => {
    fails(faults({ "src/engine/x.ts": "const a = 1;\n" }), /starts without a comment/);
    deepEqual(faults({ "src/engine/x.ts": "#!/usr/bin/env node\n/** X. */\n" }), []);
    deepEqual(faults({ "tools/x.ts": "const a = 1;\n" }), []);
  });
});

describe("files", () => {
  test("bytes are plain: no mark, no carriage return, no tab, a line feed at the end", () => {
    fails(faults({ "docs/a.md": "\ufeffa\n" }), /docs\/a\.md:0: .*byte order mark/);
    fails(faults({ "docs/a.md": "a\r\n" }), /carriage returns/);
    fails(faults({ "docs/a.md": "\ta\n" }), /tabs/);
    fails(faults({ "docs/a.md": "a" }), /line feed/);
    deepEqual(faults({ "docs/a.md": "a\n" }), []);
  });
  test("documents have a length", () => {
    deepEqual(faults({ "README.md": "a\n".repeat(120) }), []);
    fails(faults({ "README.md": "a\n".repeat(121) }), /has 121 lines, at most 120/);
    deepEqual(faults({ "docs/decisions/0001-a.md": "a\n".repeat(60) }), []);
    fails(faults({ "docs/decisions/0001-a.md": "a\n".repeat(61) }), /has 61 lines, at most 60/);
  });
});

describe("what documents and comments name", () => {
  test("a file that is not there is told, by its line", () => {
    fails(faults({ "README.md": "a\nIt is `engine/moter.ts`.\n" }), /README\.md:2: .*moter\.ts/);
    fails(faultsOf("/** The exam: `runtime/exam.ts`. */"), /x\.ts:2: names runtime\/exam\.ts/);
    fails(faultsOf("// See noun-b.ts."), /x\.ts:2: names noun-b\.ts/);
    fails(faults({ "README.md": "`engine/ort/` runs it.\n" }), /README\.md:1: names engine\/ort\//);
  });
  test("a name is the end of a path, or stands for what a reader chooses", () => {
    const named = "`engine.ts`, `ort/session.ts`, src/main/main.ts, `runtime/ort/`, `dist/`";
    const chosen = "`models/NAME.ts`, `x.test.ts`, `exam-x.ts`, `docs/NNNN-*.md`";
    deepEqual(faults({ "README.md": `${named}, ${chosen}\n` }), []);
    deepEqual(faultsOf("const a = 'runtime/exam.ts'; // `main.ts`"), []);
  });
  test("a link leads to what is there, from where it stands", () => {
    const other = { "docs/b.md": "B\n" };
    deepEqual(
      faults({
        ...other,
        "docs/a.md": "[b](b.md#c), [c](#c), [d](../src/main), [e](../src/main/)\n",
      }),
      [],
    );
    deepEqual(faults({ "README.md": "[e](https://example.org/e)\n" }), []);
    fails(faults({ ...other, "README.md": "[b](b.md)\n" }), /README\.md:1: links to b\.md/);
  });
});
