import assert from "node:assert/strict";
import { test } from "node:test";
import { smallConfig } from "../checkpoints/exam-encoder.ts";
import { plainVersion } from "../entities/exam-version.ts";
import type { Lane } from "../lanes/lane.ts";
import { formsIn, upperLayers } from "../models/adapters/adapters.ts";
import { Servables } from "./servables.ts";

const version = plainVersion("vplm-mail", 1);

test("a version that is asked on two lanes in turns is judged once for each", () => {
  let judgedCount = 0;
  const laneOf = (key: string): Lane => ({
    key,
    msPerToken: 1,
    form: "dense",
    get adapters() {
      judgedCount += 1;
      return formsIn(upperLayers(smallConfig));
    },
    programFor: () => assert.fail("nothing is run"),
    feeds: () => assert.fail("nothing is run"),
    answers: () => assert.fail("nothing is run"),
  });
  const servables = new Servables();
  const lanes = [laneOf("texts"), laneOf("tokens")];
  const first = lanes.map((lane) => servables.of(version, lane, smallConfig));
  const again = lanes.map((lane) => servables.of(version, lane, smallConfig));
  assert.equal(judgedCount, 2);
  for (const [index, servable] of first.entries()) assert.equal(again[index], servable);
});
