import { createMetrics } from "@bourse/telemetry";
import { describe, expect, test } from "vitest";
import { parse as parseYaml } from "yaml";
import { type Node, nameOf, nodesOf, parse, stringOf } from "./syntax.ts";
import { isTest, isTypeScript, readFiles, readText, type TextFile } from "./tree.ts";

interface Rule {
  readonly alert: string;
  readonly expr: string;
  readonly annotations: { readonly summary: string; readonly description: string };
}

interface Panel {
  readonly id: number;
  readonly type: string;
  readonly title: string;
  readonly description?: string;
  readonly gridPos: {
    readonly x: number;
    readonly y: number;
    readonly w: number;
    readonly h: number;
  };
  readonly targets?: readonly { readonly expr: string }[];
}

const { groups } = parseYaml(readText("deploy/alerts.yaml").text) as {
  groups: readonly { readonly rules: readonly Rule[] }[];
};
const rules = groups.flatMap((group) => group.rules);
const { panels } = JSON.parse(readText("deploy/grafana/market.json").text) as {
  panels: readonly Panel[];
};
const queries = [
  ...rules.map(({ alert, expr }) => ({ title: alert, expr })),
  ...panels.flatMap(({ title, targets = [] }) => targets.map(({ expr }) => ({ title, expr }))),
];

describe("alerts", () => {
  test.each([
    [
      "more than 0.1 disputes per second over an hour",
      'marketplace_disputes_total{event="opened"}[1h])) > 0.1',
    ],
    ["fewer than five agents online", "marketplace_agents_online) < 5"],
    ["searches whose 95th percentile is above a second", 'SearchAgents"}[5m]))) > 1'],
    ["parked messages", '(marketplace_outbox_messages{state="parked"}) > 0'],
    ["leases that cannot be read", "(marketplace_availability_lag_seconds) > 30"],
    ["messages that wait too long", "(marketplace_outbox_oldest_age_seconds) > 300"],
  ])("tell of %s", (_what, part) => {
    expect(rules.filter(({ expr }) => expr.includes(part))).toHaveLength(1);
  });

  test("have names of their own, and say what is wrong and where to look", () => {
    const names = rules.map((rule) => rule.alert);

    expect(names).toEqual([...new Set(names)]);
    for (const { annotations } of rules) {
      expect(annotations.summary).not.toBe("");
      expect(annotations.description).not.toBe("");
    }
  });
});

describe("the dashboard", () => {
  test("explains each of its panels and lays none over another", () => {
    const shown = panels.filter((panel) => panel.type !== "row");
    const cells = panels.flatMap(({ gridPos: { x, y, w, h } }) =>
      Array.from({ length: w * h }, (_, i) => `${x + (i % w)},${y + Math.floor(i / w)}`),
    );

    expect(shown.filter((panel) => (panel.description ?? "") === "")).toEqual([]);
    expect(new Set(panels.map((panel) => panel.id)).size).toBe(panels.length);
    expect(cells.length).toBe(new Set(cells).size);
  });

  test("shows every metric that an alert watches", () => {
    const shown = panels.flatMap((panel) => (panel.targets ?? []).map((target) => target.expr));
    const watched = new Set(rules.flatMap((rule) => metricsIn(rule.expr)));
    watched.delete("metrics_collect_failures_total");

    expect([...watched].filter((name) => !shown.some((expr) => expr.includes(name)))).toEqual([]);
  });
});

describe("a query", () => {
  const declared = declaredMetrics();

  test.each(queries)("of $title names metrics and labels that the sources declare", ({ expr }) => {
    expect(metricsIn(expr)).not.toEqual([]);
    expect(metricsIn(expr).filter((name) => metricOf(name, declared) === undefined)).toEqual([]);
    for (const name of metricsIn(expr)) {
      const labels = [...OF_EVERY_SERIES, ...(metricOf(name, declared)?.labels ?? [])];
      expect(labelsIn(expr).filter((label) => !labels.includes(label))).toEqual([]);
    }
  });

  test.each(queries)("of $title closes what it opens", ({ expr }) => {
    const opened = expr.match(/[([{]/g) ?? [];
    const closed = expr.match(/[)\]}]/g) ?? [];

    expect(closed).toHaveLength(opened.length);
  });

  test("that names another metric or label would be found", () => {
    expect(metricOf("marketplace_nothing_total", declared)).toBeUndefined();
    expect(metricOf("grpc_server_handling_seconds_bucket", declared)).toBeDefined();
    expect(metricOf("grpc_server_handled_total_bucket", declared)).toBeUndefined();
    expect(metricsIn('sum by (a_b) (rate(c_d_total{e_f="g_h"}[5m])) > 0')).toEqual(["c_d_total"]);
    expect(labelsIn('sum by (a_b, le) (rate(c_d_total{e_f="g_h"}[5m]))')).toEqual([
      "a_b",
      "le",
      "e_f",
    ]);
  });
});

test("every service that has an outbox measures it as all do", () => {
  const sources = readFiles((path) => /^services\/[^/]+\/src\/.*\.ts$/.test(path));
  const of = (pattern: RegExp) =>
    new Set(sources.flatMap(({ path, text }) => (pattern.test(text) ? path.split("/")[1] : [])));

  expect(of(/\bmeasureOutbox\(/)).toEqual(of(/\bstartRelay\(/));
});

interface Metric {
  readonly kind: string;
  readonly labels: readonly string[];
}

/** Labels that Prometheus, our registry or histograms give to every series. */
const OF_EVERY_SERIES = ["service", "instance", "pod", "le"];
const OF_CALLS = ["grpc_service", "grpc_method", "grpc_code"];

/** The names of a query that are neither functions, labels nor keywords. */
function metricsIn(expr: string): readonly string[] {
  const bare = expr.replace(/\{[^}]*\}/g, "").replace(/\b(by|without) \([^)]*\)/g, "");
  const names = bare.match(/\b[a-z][a-z0-9]*(?:_[a-z0-9]+)+\b(?!\s*\()/g) ?? [];
  return [...new Set(names)];
}

function labelsIn(expr: string): readonly string[] {
  const grouped = [...expr.matchAll(/\bby \(([^)]*)\)/g)].flatMap(([, list = ""]) =>
    list.split(",").map((label) => label.trim()),
  );
  const matched = [...expr.matchAll(/[{,]\s*([a-z_]+)\s*[=!]/g)].map(([, label = ""]) => label);
  return [...new Set([...grouped, ...matched])];
}

function metricOf(name: string, declared: ReadonlyMap<string, Metric>): Metric | undefined {
  const [, base = "", suffix] = /^(.*)_(bucket|sum|count)$/.exec(name) ?? [];
  const histogram = suffix === undefined ? undefined : declared.get(base);
  return declared.get(name) ?? (histogram?.kind === "histogram" ? histogram : undefined);
}

/** Metrics by name: what services and libraries declare, and what every process has. */
function declaredMetrics(): ReadonlyMap<string, Metric> {
  const sources = readFiles(
    (path) => /^(libs|services)\/[^/]+\/src\//.test(path) && isTypeScript(path) && !isTest(path),
  );
  const everywhere = createMetrics({ service: "any" }).registry.getMetricsAsArray();
  return new Map([
    ...declaredBy(sources),
    // prom-client tells the type as a word, though its own types call it a number.
    ...everywhere.map(({ name, type }) => {
      const labels = name.startsWith("grpc_server_") ? OF_CALLS : ["metric"];
      return [name, { kind: String(type), labels }] as const;
    }),
  ]);
}

function declaredBy(sources: readonly TextFile[]): ReadonlyMap<string, Metric> {
  const declared = new Map<string, Metric>();
  for (const node of sources.flatMap((file) => parse(file).nodes)) {
    const [, kind] = /\bmetrics\.(counter|gauge|histogram|collect)$/.exec(calleeOf(node)) ?? [];
    if (kind === undefined) continue;
    const [first, , options] = node["arguments"] as readonly Node[];
    const name = stringOf(first);
    const labels = nodesOf(options).flatMap((below) => stringOf(below) ?? []);
    if (name !== undefined) declared.set(name, { kind, labels });
  }
  return declared;
}

function calleeOf(node: Node): string {
  return node.type === "CallExpression" ? (nameOf(node["callee"]) ?? "") : "";
}
