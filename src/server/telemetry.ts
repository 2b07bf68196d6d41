/** Logs by pino, metrics by prom-client: the telemetry of a server. */
import { monitorEventLoopDelay } from "node:perf_hooks";
import pino from "pino";
import { Counter, Gauge, Histogram, Registry } from "prom-client";
import { StrataError } from "../foundation/errors.ts";
import { metricTable } from "../foundation/telemetry.ts";
import type { Labels, Log, MetricName, Metrics, Telemetry } from "../foundation/telemetry.ts";

export interface ServerTelemetry extends Telemetry {
  /** All metrics in Prometheus' text format. */
  metricsText(): Promise<string>;
  /** Writes what the log still holds back. */
  flush(): void;
}

const logLevels = ["debug", "info", "warn", "error", "silent"] as const;

type LogLevel = (typeof logLevels)[number];

/** The level of STRATA_LOG, "warn" by default; INVALID_ARGUMENT when there is none of this name. */
export function logLevelOf(text = "warn"): LogLevel {
  const level = logLevels.find((known) => known === text);
  if (level !== undefined) return level;
  const state = `expected one of ${logLevels.join(", ")}, got "${text}"`;
  throw new StrataError("INVALID_ARGUMENT", `Cannot read STRATA_LOG: ${state}`);
}

/** Bounds in seconds, from a quarter of a millisecond to half a minute. */
const secondBounds = [
  0.000_25, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30,
];
/** Bounds for counts of sequences and tokens. */
const countBounds = [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024];

/** How long a line may be held back. */
const flushMs = 1000;

/** Lines of JSON go to standard error, so that standard output stays the command's. */
export function createTelemetry(level: LogLevel): ServerTelemetry {
  // Buffered: a line costs the request that writes it as little as can be.
  const destination = pino.destination({ fd: 2, sync: false, minLength: 4096 });
  setInterval(() => destination.flush(), flushMs).unref();
  // An error in a field would else be written as "{}".
  const serializers = { error: pino.stdSerializers.err };
  const logger = pino({ level, base: null, serializers }, destination);
  const registry = new Registry();
  const metrics = metricsOf(registry);
  const tellDelays = delayReporter(metrics);
  return {
    log: logOf(logger),
    metrics,
    metricsText: () => {
      tellDelays();
      return registry.metrics();
    },
    flush: () => destination.flushSync(),
  };
}

/** A timer of this period is watched; its own length is no delay. */
const delayResolutionMs = 10;

/** A function that sets the delays of the main thread since it was last called. */
function delayReporter(metrics: Metrics): () => void {
  const delays = monitorEventLoopDelay({ resolution: delayResolutionMs });
  delays.enable();
  return () => {
    for (const quantile of [0.5, 0.99, 1]) {
      const delayMs = delays.percentile(100 * quantile) / 1e6 - delayResolutionMs;
      const seconds = Number.isFinite(delayMs) ? Math.max(0, delayMs) / 1000 : 0;
      metrics.set("strata_event_loop_delay_seconds", seconds, { quantile: String(quantile) });
    }
    delays.reset();
  };
}

function logOf(logger: pino.Logger): Log {
  return {
    debug: (message, fields) => logger.debug(fields ?? {}, message),
    info: (message, fields) => logger.info(fields ?? {}, message),
    warn: (message, fields) => logger.warn(fields ?? {}, message),
    error: (message, fields) => logger.error(fields ?? {}, message),
  };
}

type Instrument = Counter | Gauge | Histogram;

function metricsOf(registry: Registry): Metrics {
  const instruments = new Map<string, Instrument>();
  for (const [name, row] of Object.entries(metricTable)) {
    const options = { name, help: row.help, labelNames: row.labels, registers: [registry] };
    instruments.set(name, instrumentOf(row.kind, options));
  }
  const none: Labels = {};
  return {
    count(name, labels = none, amount = 1) {
      const instrument = instruments.get(name);
      if (instrument instanceof Counter) instrument.inc(labels, amount);
      else throw wrongKind(name);
    },
    observe(name, value, labels = none) {
      const instrument = instruments.get(name);
      if (instrument instanceof Histogram) instrument.observe(labels, value);
      else throw wrongKind(name);
    },
    set(name, value, labels = none) {
      const instrument = instruments.get(name);
      if (instrument instanceof Gauge) instrument.set(labels, value);
      else throw wrongKind(name);
    },
  };
}

interface InstrumentOptions {
  readonly name: string;
  readonly help: string;
  readonly labelNames: readonly string[];
  readonly registers: Registry[];
}

function instrumentOf(kind: "counter" | "gauge" | "histogram", options: InstrumentOptions) {
  if (kind === "counter") return new Counter(options);
  if (kind === "gauge") return new Gauge(options);
  const buckets = options.name.endsWith("_seconds") ? secondBounds : countBounds;
  return new Histogram({ ...options, buckets });
}

function wrongKind(name: MetricName): Error {
  return new Error(`Cannot record "${name}": it is a ${metricTable[name].kind}`);
}
