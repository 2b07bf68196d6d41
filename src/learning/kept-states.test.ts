import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { allLayers, upperForm } from "../models/adapters/adapters.ts";
import { openSmallBase, type SmallBase } from "./exam-base.ts";
import { KeptStates } from "./kept-states.ts";
import type { Source } from "./sequences.ts";

let small: SmallBase;

before(async () => {
  small = await openSmallBase();
});

after(() => small.close());

/** Texts of two tokens. */
function texts(count: number): Source {
  return { ids: Array.from({ length: count }, () => Int32Array.of(2, 3)), states: undefined };
}

test("what is kept of several parts shares one room; what does not fit takes none", async () => {
  const { config } = small.checkpoint;
  const bytesOf = (count: number): number => count * 2 * config.hiddenSize * 4;
  const kept = new KeptStates(small.base, upperForm(config), bytesOf(10));
  const [train, dev, others] = [await kept.with(texts(7)), await kept.with(texts(4)), texts(3)];
  assert.equal(train.states?.length, 7);
  assert.equal(train.states[0]?.length, 2 * config.hiddenSize);
  assert.equal(dev.states, undefined);
  assert.equal((await kept.with(others)).states?.length, 3);
  assert.equal((await kept.with(texts(1))).states, undefined);
});

test("nothing is kept that the adapter changes", async () => {
  const { config } = small.checkpoint;
  const adapter = { ...upperForm(config), layers: allLayers(config) };
  const { states } = await new KeptStates(small.base, adapter).with(texts(1));
  assert.equal(states, undefined);
});
