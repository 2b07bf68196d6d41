/** Every limit of Strata, in one place, with the unit in the name. */
export const limits = {
  // HTTP
  requestBodyBytesMax: 4 * 1024 * 1024,
  uploadBytesMax: 512 * 1024 * 1024,
  jsonDepthMax: 32,
  inputCountMax: 2048,
  inputCharactersMax: 1_000_000,
  requestCharactersMax: 2_000_000,
  requestTokensMax: 300_000,
  listPageCountMax: 100,
  filePageCountMax: 10_000,
  requestWaitMsMax: 60_000,
  // Names
  nameCharactersMax: 64,
  modelIdCharactersMax: 200,
  labelCharactersMax: 256,
  labelCountMin: 2,
  labelCountMax: 1_000,
  metadataEntryCountMax: 16,
  derivedModelCountMax: 10_000,
  // Engine
  queueSequenceCountMax: 8_192,
  batchTokensMax: 512,
  batchSequenceCountMax: 64,
  adapterRankMax: 64,
  // Training data
  trainingExampleCountMax: 1_000_000,
  trainingLabelExampleCountMin: 2,
  trainingLineBytesMax: 2 * 1024 * 1024,
  reportedLineErrorCountMax: 100,
  epochCountMax: 200,
  queuedJobCountMax: 1_000,
  // Storage
  blobWriteCountMax: 16,
  publishRetryCountMax: 10,
  // Base models
  downloadBytesMax: 8 * 1024 * 1024 * 1024,
  downloadRetryCountMax: 5,
  downloadIdleMsMax: 60_000,
  safetensorsHeaderBytesMax: 64 * 1024 * 1024,
} as const;
