/** A small scenario for the exams of this folder. */
import { steadyDemand } from "../placement/demand.ts";
import { idealProfile } from "../placement/placement.ts";
import { clusterFile, modelsFile } from "./exam-files.ts";
import type { Scenario } from "./planning.ts";

/** Two models, asked for in bursts, on four devices that hold one model each. */
export const smallScenario: Scenario = {
  units: ["a", "b"].map((name) => ({ name, ...modelsFile.profiles.small })),
  fleet: clusterFile,
  deadlineSeconds: [0.4, 0.4],
  sloScale: 4,
  attainment: 0.9,
  demand: steadyDemand(
    [
      { rate: 4, cv: 3 },
      { rate: 2, cv: 3 },
    ],
    100,
  ),
  simulation: idealProfile,
  isBatching: false,
  seed: 1,
};
