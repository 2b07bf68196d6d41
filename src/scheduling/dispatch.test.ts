import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { admit, dispatch } from "./dispatch.ts";

test("a request goes to the host with the least load, on a tie to the first", () => {
  const loads: Readonly<Record<string, number>> = { a: 2, b: 1, c: 1 };
  assert.equal(
    dispatch(["a", "b", "c"], (host) => loads[host] ?? 0),
    "b",
  );
  assert.equal(
    dispatch([], () => 0),
    undefined,
  );
});

test("a pipeline's stages are passed when they are free", () => {
  // Stage 0 is free at 3 and done at 4; stage 1 is free at 10 and done at 12.
  const arrival = { nowSeconds: 1, deadlineSeconds: 12, stageSeconds: [1, 2], slackSeconds: 0 };
  assert.deepEqual(admit(arrival, [3, 10]), { kind: "admitted", clocks: [4, 12] });
});

test("what would be late is rejected, slack included", () => {
  const arrival = { nowSeconds: 0, deadlineSeconds: 3, stageSeconds: [1, 2], slackSeconds: 0 };
  assert.equal(admit(arrival, [0, 0]).kind, "admitted");
  assert.equal(admit({ ...arrival, slackSeconds: 0.5 }, [0, 0]).kind, "rejected");
  assert.equal(admit(arrival, [0.5, 0]).kind, "rejected");
});

test("no clock goes back, and an earlier arrival is never predicted to finish later", () => {
  const seconds = fc.double({ min: 0, max: 10, noNaN: true });
  const stages = fc.array(fc.tuple(seconds, seconds), { minLength: 1, maxLength: 8 });
  fc.assert(
    fc.property(stages, seconds, seconds, (rows, early, later) => {
      const clocks = rows.map(([clock]) => clock);
      const after = (nowSeconds: number): readonly number[] => {
        const stageSeconds = rows.map(([, time]) => time);
        const rest = { deadlineSeconds: Infinity, stageSeconds, slackSeconds: 0 };
        const admission = admit({ nowSeconds, ...rest }, clocks);
        return admission.kind === "admitted" ? admission.clocks : [];
      };
      const [first, second] = [after(early), after(early + later)];
      assert.ok(first.every((clock, stage) => clock >= (clocks[stage] ?? 0)));
      assert.ok(first.every((clock, stage) => clock <= (second[stage] ?? 0)));
    }),
  );
});
