import { examineLane } from "./conformance.ts";
import { textLane } from "./text-lane.ts";
import { tokenLane } from "./token-lane.ts";

examineLane("that of whole texts", {
  task: "sequence",
  open: textLane,
  numbersOf: ({ probabilities, embedding }) => [...probabilities, ...embedding],
});

examineLane("that of tokens", {
  task: "token",
  open: (options) => tokenLane(options, (probabilities) => probabilities),
  numbersOf: (probabilities) => [...probabilities],
});
