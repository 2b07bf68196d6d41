/**
 * The exams of what reading is made of: of every `ExampleForm`, that its rows are its own, and of
 * every `RowReader`, that a file reads alike in whatever pieces it comes.
 */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import type { Example } from "./datasets.ts";
import type { ExampleForm, ExampleForms } from "./example-form.ts";
import { Labels } from "./labels.ts";
import type { Fields } from "./readers/fields.ts";
import { Notes, pause, type RawRow, type RawText, type RowReader } from "./readers/rows.ts";

export interface ExaminedForm {
  readonly form: ExampleForm;
  /** All that reading asks, this form among them. */
  readonly forms: ExampleForms;
  /** Objects of the form, of which no two say the same, and what each is, by hand. */
  readonly examples: readonly {
    readonly object: Fields;
    readonly example: Example & Readonly<Record<string, unknown>>;
    /** Each label as often as it occurs. */
    readonly labels: readonly string[];
  }[];
  /** Objects of the form that are no example. */
  readonly faults: readonly Fields[];
}

export function examineForm({ form, forms, examples, faults }: ExaminedForm): void {
  const rowOf = (object: Fields, isLabelled = true): RawText => {
    const row = form.ofObject(object, isLabelled);
    if (row !== undefined && "text" in row) return row;
    return assert.fail(JSON.stringify(object));
  };
  const all = [...forms.distinct, forms.fallback];

  describe(`the form of ${form.task}`, () => {
    it("is asked, once", () => {
      assert.equal(all.filter((one) => one === form).length, 1);
    });

    it("takes its objects alone, and claims its rows alone", () => {
      for (const object of [...examples.map((one) => one.object), ...faults]) {
        for (const other of forms.distinct)
          if (other !== form) assert.equal(other.ofObject(object, true), undefined);
        const claiming = all.filter((one) => one.claims(rowOf(object)));
        assert.deepEqual(claiming, [form], JSON.stringify(object));
      }
    });

    it("makes examples, their labels counted", () => {
      for (const { object, example, labels } of examples) {
        const counted = new Labels();
        assert.deepEqual(form.checked(rowOf(object), counted), example);
        assert.deepEqual(form.labelsOf(example), labels);
        for (const label of form.labelsOf(example)) counted.remove(label);
        assert.equal(counted.size, 0);
      }
    });

    it("says why a row is no example, and counts nothing of it", () => {
      for (const object of faults) {
        const counted = new Labels();
        const fault = form.checked(rowOf(object), counted);
        assert.equal(typeof fault, "string", JSON.stringify(object));
        assert.equal(counted.size, 0, JSON.stringify(object));
      }
    });

    it("spells what examples say, and differently what they do not both say", () => {
      const spelled = examples.map(({ example }) => form.spelled(example));
      assert.equal(new Set(spelled).size, examples.length);
      for (const [index, { object }] of examples.entries()) {
        const again = form.checked(rowOf(object), new Labels());
        assert.equal(typeof again === "string" ? "" : form.spelled(again), spelled[index]);
      }
    });

    it("has the text where labels are not asked for", () => {
      for (const { object, example } of examples) {
        const taken = all
          .map((one) => one.ofObject(object, false))
          .find((row) => row !== undefined);
        assert.equal(taken !== undefined && "text" in taken && taken.text, example.text);
      }
    });
  });
}

export interface ExaminedReader {
  open(notes: Notes): RowReader;
  readonly text: string;
  /** What the text holds, by hand: lines, and texts or the beginnings of faults. */
  readonly rows: readonly (readonly [line: number, text: string])[];
}

export function examineReader(name: string, { open, text, rows }: ExaminedReader): void {
  const readIn = (pieces: readonly string[]): readonly RawRow[] => {
    const reader = open(new Notes());
    const found = [...pieces.flatMap((piece) => [...reader.read(piece)]), ...reader.end()];
    return found.filter((row) => row !== pause);
  };

  describe(`the reader of ${name}`, () => {
    const whole = readIn([text]);

    it("finds rows at their lines", () => {
      const said = whole.map((row, index): readonly [number, string] => {
        const own = "text" in row ? row.text : "fault" in row ? row.fault : row.skipped;
        return [row.line, String(own).slice(0, rows[index]?.[1].length)];
      });
      assert.deepEqual(said, rows);
    });

    it("reads alike in whatever pieces, and knows where each begins", () => {
      const cuts = fc.array(fc.nat(text.length), { maxLength: 6 });
      fc.assert(
        fc.property(cuts, (places) => {
          const bounds = [0, ...places.toSorted((a, b) => a - b), text.length];
          const pieces = bounds.slice(1).map((end, index) => text.slice(bounds[index], end));
          assert.deepEqual(readIn(pieces), whole);
          const reader = open(new Notes());
          let before = "";
          for (const piece of pieces) {
            const lines = before.split("\n");
            const column = (lines.at(-1)?.length ?? 0) + 1;
            assert.deepEqual([reader.line, reader.column], [lines.length, column]);
            for (const row of reader.read(piece)) assert.ok(row === pause || row.line > 0);
            before += piece;
          }
        }),
      );
    });
  });
}
