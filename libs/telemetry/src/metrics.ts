import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from "prom-client";

/** The labels of one time series. */
export type Labels<L extends string = string> = Readonly<Record<L, string>>;

/** A value that a gauge reads when it is scraped; several when it has labels. */
export type Reading<L extends string> =
  | number
  | readonly { readonly labels: Labels<L>; readonly value: number }[];

/**
 * The metrics of a process. Names are unique, snake_case, with the unit last; a name declared twice
 * throws.
 */
export interface Metrics {
  readonly registry: Registry;
  /** Declares a count that only grows; its name ends in `_total`. */
  counter<L extends string = never>(name: string, help: string, labels?: readonly L[]): Counter<L>;
  /** Declares a value that goes up and down and is set by its owner. */
  gauge<L extends string = never>(name: string, help: string, labels?: readonly L[]): Gauge<L>;
  /**
   * Declares a distribution; its name ends in its unit. Buckets default to 1 ms to 60 s, in
   * seconds.
   */
  histogram<L extends string = never>(
    name: string,
    help: string,
    options?: { readonly labels?: readonly L[]; readonly buckets?: readonly number[] },
  ): Histogram<L>;
  /**
   * Declares a gauge that is read when it is scraped, such as the depth of an outbox.
   *
   * A reading that fails or takes longer than 5 s leaves the gauge out of that scrape and counts in
   * `metrics_collect_failures_total{metric}`. Scrapes that come meanwhile wait for the same one.
   * Of workers that share a port the largest reading is shown, since all look at the same world, or
   * the smallest.
   */
  collect<L extends string = never>(
    name: string,
    help: string,
    labels: readonly L[],
    read: () => Reading<L> | Promise<Reading<L>>,
    options?: { readonly ofWorkers: "max" | "min" },
  ): void;
  /** The histogram and the count of finished RPCs; `observeCall` feeds them. */
  readonly calls: CallMetrics;
}

/** The labels that every RPC metric bears. */
export type CallLabel = "grpc_service" | "grpc_method" | "grpc_code";

/** What is measured of every RPC. */
export interface CallMetrics {
  readonly handled: Counter<CallLabel>;
  readonly handlingSeconds: Histogram<CallLabel>;
}

/**
 * Makes the metrics of a service; every series bears `service`, and those of the Node process are
 * included.
 */
export function createMetrics(options: { readonly service: string }): Metrics {
  const registry = new Registry();
  registry.setDefaultLabels({ service: options.service });
  collectDefaultMetrics({ register: registry });

  function configuration<L extends string>(name: string, help: string, labels?: readonly L[]) {
    return { name, help, labelNames: [...(labels ?? [])], registers: [registry] };
  }
  const counter: Metrics["counter"] = (name, help, labels) =>
    new Counter(configuration(name, help, labels));
  const gauge: Metrics["gauge"] = (name, help, labels) =>
    new Gauge(configuration(name, help, labels));
  const histogram: Metrics["histogram"] = (name, help, { labels, buckets } = {}) =>
    new Histogram({
      ...configuration(name, help, labels),
      buckets: [...(buckets ?? SECONDS)],
    });
  const failures = counter(
    "metrics_collect_failures_total",
    "Readings of a metric that failed or took too long",
    ["metric"],
  );
  const callLabels = ["grpc_service", "grpc_method", "grpc_code"] as const;

  return {
    registry,
    counter,
    gauge,
    histogram,
    collect(name, help, labels, read, { ofWorkers } = { ofWorkers: "max" }) {
      const readOnce = shared(read);
      new Gauge({
        ...configuration(name, help, labels),
        aggregator: ofWorkers,
        async collect() {
          this.reset();
          try {
            const reading = await inTime(readOnce());
            if (typeof reading === "number") this.set(reading);
            else for (const { labels, value } of reading) this.set(labels, value);
          } catch {
            failures.inc({ metric: name });
            // Without labels a reset gauge reads 0, which would be a lie.
            this.remove();
          }
        },
      });
    },
    calls: {
      handled: counter("grpc_server_handled_total", "RPCs finished by the server", callLabels),
      handlingSeconds: histogram("grpc_server_handling_seconds", "Time the server took per RPC", {
        labels: callLabels,
        buckets: CALL_SECONDS,
      }),
    },
  };
}

const SECONDS = [0.001, 0.005, 0.01, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60] as const;
const CALL_SECONDS = [
  0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10,
] as const;
const READING_MS_MAX = 5_000;

/** Gives all who ask while a reading is under way that one, so that slow ones do not pile up. */
function shared<T>(read: () => T | Promise<T>): () => Promise<T> {
  let reading: Promise<T> | undefined;
  const begin = async (): Promise<T> => read();
  return () => {
    reading ??= begin().finally(() => {
      reading = undefined;
    });
    return reading;
  };
}

async function inTime<T>(reading: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const limit = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => reject(new Error("the reading took too long")), READING_MS_MAX);
  });
  try {
    return await Promise.race([reading, limit]);
  } finally {
    clearTimeout(timer);
  }
}
