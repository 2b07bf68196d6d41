import assert from "node:assert/strict";
import { test } from "node:test";
import { admitByForecast, correctForecast, freeSeconds, idleForecast } from "./forecast.ts";

const arrival = { nowSeconds: 10, deadlineSeconds: 14, stageSeconds: [1, 2], slackSeconds: 0 };

test("an admission moves the clocks, a rejection does not", () => {
  const first = admitByForecast(arrival, idleForecast(2));
  assert.ok(first.kind === "admitted");
  assert.equal(first.predictedSeconds, 13);
  assert.equal(freeSeconds(first.forecast), 13);
  assert.deepEqual(admitByForecast(arrival, first.forecast), { kind: "rejected" });
});

test("an answer that was late makes the queue behind it late", () => {
  const first = admitByForecast(arrival, idleForecast(2));
  assert.ok(first.kind === "admitted");
  const { predictedSeconds } = first;
  const late = correctForecast(first.forecast, { predictedSeconds, finishSeconds: 13.5 });
  assert.equal(freeSeconds(late), 13.5);
  // Behind it the last stage is free at 13.5 and takes 2 s.
  assert.equal(admitByForecast({ ...arrival, deadlineSeconds: 15.4 }, late).kind, "rejected");
  assert.equal(admitByForecast({ ...arrival, deadlineSeconds: 15.5 }, late).kind, "admitted");
});

test("an idle group is not late, whatever the lag was", () => {
  const late = { clocks: [1, 3], lagSeconds: 4 };
  const later = admitByForecast({ ...arrival, deadlineSeconds: 13 }, late);
  assert.ok(later.kind === "admitted");
  assert.equal(freeSeconds(later.forecast), 13);
});
