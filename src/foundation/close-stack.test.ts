import assert from "node:assert/strict";
import { it } from "node:test";
import { CloseStack } from "./close-stack.ts";

it("closes in reverse, all in spite of an error, and once", async () => {
  const closed: string[] = [];
  const parts = new CloseStack();
  parts.add(async () => void closed.push("store"));
  parts.add(async () => {
    closed.push("trainer");
    throw new Error("full disk");
  });
  parts.add(async () => void closed.push("listener"));
  await assert.rejects(parts.close(), /full disk/);
  await assert.rejects(parts.close(), /full disk/);
  assert.deepEqual(closed, ["listener", "trainer", "store"]);
});
