/** Files for the exams of this folder, as their writers would have them. */

/** Two models that take 0.1 s, or 0.06 s in each of two stages; 1 GB each, halves in stages. */
export const modelsFile = {
  profiles: {
    small: {
      tokenCount: 16,
      profiles: [
        {
          configuration: { intraOp: 1, stageCount: 1 },
          latencies: [{ batchSize: 1, tokenCount: 16, stageSeconds: [0.1] }],
          stageBytes: [1e9],
        },
        {
          configuration: { intraOp: 1, stageCount: 2 },
          latencies: [{ batchSize: 1, tokenCount: 16, stageSeconds: [0.06, 0.06] }],
          stageBytes: [0.5e9, 0.5e9],
        },
      ],
    },
  },
  models: [
    { name: "a", profile: "small", rate: 2, cv: 3 },
    { name: "b", profile: "small", rate: 1, deadlineSeconds: 2 },
  ],
};

/** Two nodes of two devices; a device has room for one model. */
export const clusterFile = {
  nodes: [{ type: "g2", count: 2, countMax: 8, deviceCount: 2, deviceBytes: 1e9, pricePerHour: 3 }],
  linkSeconds: 0.001,
};

/** What `strata profile` writes of a base, as far as planning reads it. */
export const profileFile = {
  base: "tiny",
  unit: { name: "tiny", ...modelsFile.profiles.small },
  simulation: {
    name: "tiny",
    stagePenalty: 0,
    receiveSeconds: 0,
    dispatchSeconds: 0,
    startSeconds: 0.002,
    slackSeconds: 0.002,
    isFloat32: false,
  },
};
