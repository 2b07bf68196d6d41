import assert from "node:assert/strict";
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { nodeFiles } from "./file-operations.ts";
import { Reserve } from "./reserve.ts";

test("a reserve that is said to be held is there, whoever gives it up meanwhile", async () => {
  const folder = mkdtempSync(join(tmpdir(), "strata-reserve-"));
  try {
    for (let round = 0; round < 20; round++) {
      const reserve = new Reserve(folder, { files: nodeFiles, bytes: 64 * 1024 });
      assert.equal(await reserve.take(), true);
      const both = [reserve.spend(), reserve.take()];
      await Promise.all(round % 2 === 0 ? both : [reserve.take(), ...both]);
      assert.equal(await reserve.take(), true);
      assert.ok(existsSync(join(folder, "reserve")), `round ${round}`);
    }
  } finally {
    rmSync(folder, { recursive: true });
  }
});
