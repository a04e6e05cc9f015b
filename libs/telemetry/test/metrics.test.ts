import { createMetrics, type Metrics, serveMetrics } from "@bourse/telemetry";
import { describe, expect, test } from "vitest";

async function scrape(metrics: Metrics): Promise<readonly string[]> {
  await using server = await serveMetrics({ listen: "127.0.0.1:0", registry: metrics.registry });
  const response = await fetch(`http://127.0.0.1:${server.port}/metrics`);
  expect(response.headers.get("content-type")).toContain("text/plain; version=0.0.4");
  return (await response.text()).split("\n").filter((line) => !line.startsWith("#"));
}

describe("the metrics of a service", () => {
  test("are counters, gauges and histograms that bear its name", async () => {
    const metrics = createMetrics({ service: "registry" });
    metrics
      .counter("marketplace_agent_registrations_total", "Agents registered", ["outcome"])
      .inc({ outcome: "created" });
    metrics.gauge("marketplace_agents_online", "Agents online").set(3);
    metrics
      .histogram("marketplace_transaction_duration_seconds", "Time to settle", { buckets: [1, 5] })
      .observe(2);

    expect(await scrape(metrics)).toEqual(
      expect.arrayContaining([
        'marketplace_agent_registrations_total{outcome="created",service="registry"} 1',
        'marketplace_agents_online{service="registry"} 3',
        'marketplace_transaction_duration_seconds_bucket{le="1",service="registry"} 0',
        'marketplace_transaction_duration_seconds_bucket{le="5",service="registry"} 1',
      ]),
    );
  });

  test("include those of the process", async () => {
    const lines = await scrape(createMetrics({ service: "registry" }));

    expect(lines.some((line) => line.startsWith("process_resident_memory_bytes{"))).toBe(true);
    expect(lines.some((line) => line.startsWith("nodejs_eventloop_lag_seconds{"))).toBe(true);
  });

  test("have unique names", () => {
    const metrics = createMetrics({ service: "registry" });
    metrics.counter("twice_total", "Once");

    expect(() => metrics.counter("twice_total", "Twice")).toThrow("twice_total");
  });

  test("of two services in one process do not meet", async () => {
    const [one, two] = [createMetrics({ service: "one" }), createMetrics({ service: "two" })];
    one.counter("same_total", "The same").inc();
    two.counter("same_total", "The same").inc(2);

    expect(await scrape(one)).toContain('same_total{service="one"} 1');
    expect(await scrape(two)).toContain('same_total{service="two"} 2');
  });
});

describe("a collected gauge", () => {
  test("is read at each scrape", async () => {
    const metrics = createMetrics({ service: "ledger" });
    let depth = 4;
    metrics.collect("outbox_pending", "Messages to deliver", [], async () => depth);

    expect(await scrape(metrics)).toContain('outbox_pending{service="ledger"} 4');
    depth = 0;
    expect(await scrape(metrics)).toContain('outbox_pending{service="ledger"} 0');
  });

  test("shows exactly the series of the last reading", async () => {
    const metrics = createMetrics({ service: "ledger" });
    let states = ["pending", "parked"];
    metrics.collect("outbox", "Messages by state", ["state"], () =>
      states.map((state) => ({ labels: { state }, value: 1 })),
    );

    await scrape(metrics);
    states = ["parked"];

    expect((await scrape(metrics)).filter((line) => line.startsWith("outbox{"))).toEqual([
      'outbox{state="parked",service="ledger"} 1',
    ]);
  });

  test.each<[string, () => number | Promise<number>]>([
    ["rejects", () => Promise.reject(new Error("database down"))],
    [
      "throws",
      () => {
        throw new Error("database down");
      },
    ],
  ])("that %s is left out, is counted, and spoils no other", async (_how, read) => {
    const metrics = createMetrics({ service: "ledger" });
    metrics.collect("broken", "Always broken", [], read);
    metrics.collect("whole", "Never broken", [], () => 1);

    await scrape(metrics);
    await scrape(metrics);
    const lines = await scrape(metrics);

    expect(lines.filter((line) => line.startsWith("broken"))).toEqual([]);
    expect(lines).toContain('whole{service="ledger"} 1');
    expect(lines).toContainEqual(
      expect.stringMatching(/^metrics_collect_failures_total\{metric="broken",.*\} [23]$/),
    );
  });
});

describe("a collected gauge whose reading is slow", () => {
  test("is read once for all scrapes that wait for it", async () => {
    const metrics = createMetrics({ service: "ledger" });
    const depth = Promise.withResolvers<number>();
    let readings = 0;
    metrics.collect("slow", "Slow to read", [], () => {
      readings += 1;
      return depth.promise;
    });

    const scrapes = [metrics.registry.metrics(), metrics.registry.metrics()];
    depth.resolve(7);

    for (const text of await Promise.all(scrapes)) {
      expect(text).toContain('slow{service="ledger"} 7');
    }
    expect(readings).toBe(1);
    await metrics.registry.metrics();
    expect(readings).toBe(2);
  });
});

describe("the metrics port", () => {
  test.each([
    ["GET", "/healthz", 200],
    ["HEAD", "/healthz", 200],
    ["GET", "/metrics?name=x", 200],
    ["GET", "/", 404],
    ["GET", "//", 404],
    ["POST", "/metrics", 405],
  ])("answers %s %s with %d", async (method, path, status) => {
    const { registry } = createMetrics({ service: "ledger" });
    await using server = await serveMetrics({ listen: "127.0.0.1:0", registry });

    const response = await fetch(`http://127.0.0.1:${server.port}${path}`, { method });
    await response.text();

    expect(response.status).toBe(status);
  });

  test("says which address it could not take", async () => {
    const { registry } = createMetrics({ service: "ledger" });
    await using server = await serveMetrics({ listen: "127.0.0.1:0", registry });
    const listen = `127.0.0.1:${server.port}`;

    await expect(serveMetrics({ listen, registry })).rejects.toThrow(
      `cannot serve metrics on ${listen}: the port is taken`,
    );
  });

  test("is closed at once, also while a scraper keeps its connection", async () => {
    const { registry } = createMetrics({ service: "ledger" });
    const server = await serveMetrics({ listen: "127.0.0.1:0", registry });
    const url = `http://127.0.0.1:${server.port}/healthz`;
    await (await fetch(url)).text();

    await server[Symbol.asyncDispose]();

    await expect(fetch(url)).rejects.toThrow("fetch failed");
  });
});
