import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { labelFault, nameFault } from "./virtual-model.ts";

describe("a name", () => {
  it("may hold letters, digits, and marks after the first place", () => {
    for (const name of ["a", "A1", "0", "mail-spam_v1.2", "x".repeat(64), "a.", "a-"])
      assert.equal(nameFault(name), undefined, name);
  });

  it("may not be empty, long, begin with a mark, or hold what names and paths are made of", () => {
    const wrong = ["", ".", "..", "-a", "_a", "a b", "a/b", "a@1", "a:b", "ä", "a\n", "a\0"];
    for (const name of [...wrong, "x".repeat(65)])
      assert.equal(typeof nameFault(name), "string", JSON.stringify(name));
  });

  it("that is taken is safe in a path, a URL and an address with a version", () => {
    fc.assert(
      fc.property(fc.string({ unit: "binary" }), (name) => {
        if (nameFault(name) !== undefined) return;
        assert.equal(encodeURIComponent(name), name);
        assert.ok(!name.startsWith(".") && !/[@:/\\]/.test(name) && name.length <= 64);
      }),
    );
  });

  it("that is too long is told by its length, any other by itself", () => {
    assert.match(nameFault("x".repeat(65)) ?? "", /at most 64 characters, got 65$/);
    assert.match(nameFault("a b") ?? "", /got "a b"$/);
  });
});

describe("a label", () => {
  it("may be any text with a beginning and an end", () => {
    for (const label of ["spam", "not spam", "ä", "スパム", "👍🏽", "a\tb", "x".repeat(256)])
      assert.equal(labelFault(label), undefined, label);
  });

  it("may not be empty, long, padded, or hold what cannot be stored", () => {
    const wrong = ["", " ", "\n", " a", "a ", "\u00a0a", "a\0", "\ud800", "a\udc00b"];
    for (const label of [...wrong, "x".repeat(257)])
      assert.equal(typeof labelFault(label), "string", JSON.stringify(label));
  });

  it("that is taken survives UTF-8", () => {
    fc.assert(
      fc.property(fc.string({ unit: "binary" }), (label) => {
        if (labelFault(label) !== undefined) return;
        const bytes = new TextEncoder().encode(label);
        assert.equal(new TextDecoder("utf-8", { fatal: true }).decode(bytes), label);
      }),
    );
  });
});
