/** What layers may say about themselves; `server/telemetry.ts` wires it to pino and Prometheus. */

/** Structured log. An error line means that a person must act. */
export interface Log {
  debug(message: string, fields?: Readonly<Record<string, unknown>>): void;
  info(message: string, fields?: Readonly<Record<string, unknown>>): void;
  warn(message: string, fields?: Readonly<Record<string, unknown>>): void;
  error(message: string, fields?: Readonly<Record<string, unknown>>): void;
}

export type Labels = Readonly<Record<string, string>>;

/** Metrics by name; names, help texts and labels stand in `metricTable`. */
export interface Metrics {
  count(name: MetricName, labels?: Labels, amount?: number): void;
  observe(name: MetricName, value: number, labels?: Labels): void;
  set(name: MetricName, value: number, labels?: Labels): void;
}

export interface Telemetry {
  readonly log: Log;
  readonly metrics: Metrics;
}

interface MetricRow {
  readonly kind: "counter" | "gauge" | "histogram";
  readonly help: string;
  readonly labels: readonly string[];
}

/** All metrics of Strata. Labels have bounded sets of values: never a model or a tenant name. */
export const metricTable = {
  strata_http_requests_total: {
    kind: "counter",
    help: "HTTP requests answered",
    labels: ["route", "status"],
  },
  strata_http_request_seconds: {
    kind: "histogram",
    help: "Time from the last byte of a request's headers to the answer, or to its first byte",
    labels: ["route"],
  },
  strata_queue_sequences: {
    kind: "gauge",
    help: "Sequences that wait for a batch",
    labels: [],
  },
  strata_batch_sequences: { kind: "histogram", help: "Sequences per batch", labels: [] },
  strata_batch_tokens: {
    kind: "histogram",
    help: "Tokens per batch, padding excluded",
    labels: [],
  },
  strata_batch_seconds: { kind: "histogram", help: "Duration of one run", labels: [] },
  strata_queue_seconds: {
    kind: "histogram",
    help: "Time a sequence waits in the queue",
    labels: [],
  },
  strata_load_seconds: {
    kind: "histogram",
    help: "Time a sequence waits for weights that were not resident, or for a program",
    labels: [],
  },
  strata_adapter_loads_total: {
    kind: "counter",
    help: "Adapters looked up for a request, by where they were found",
    labels: ["source"],
  },
  strata_adapter_cache_bytes: { kind: "gauge", help: "Bytes of resident adapters", labels: [] },
  strata_jobs_total: {
    kind: "counter",
    help: "Training jobs that have ended, by how",
    labels: ["status"],
  },
  strata_event_loop_delay_seconds: {
    kind: "gauge",
    help: "How long the main thread let others wait since metrics were last read, by quantile",
    labels: ["quantile"],
  },
  strata_models: { kind: "gauge", help: "vPLMs in the catalog", labels: [] },
} as const satisfies Record<string, MetricRow>;

export type MetricName = keyof typeof metricTable;

/** Says nothing; for tests and for commands whose output is their answer. */
export const silentTelemetry: Telemetry = {
  log: { debug() {}, info() {}, warn() {}, error() {} },
  metrics: { count() {}, observe() {}, set() {} },
};
