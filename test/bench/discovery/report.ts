import type { Machine } from "../machine.ts";
import type { BenchDocument } from "../program.ts";
import { barTable, fixed, machineLine, tableOf, whole } from "../table.ts";
import {
  barsOf,
  bytesPerAgent,
  type Figures,
  type Registered,
  type SizeFigures,
  summarize,
} from "./figures.ts";
import type { Settings } from "./settings.ts";

/** What a run was made of. */
export interface Setup {
  readonly machine: Machine;
  readonly h2load: string;
  readonly settings: Settings;
}

/** What is measured beside discovery, for whoever compares. */
export const PEER_DOES =
  "grpc-js answers a unary call with so many bytes as discovery does (in the mean of what is asked), " +
  "which are neither read nor made anew; a process of its own with the flags of a service. It is " +
  "asked with the same messages and headers, by turns with discovery, while the same profiles change.";

/** What is asked. */
const ASKED =
  "SelectAgent: four filters at the same time (a popular capability, one with a price ceiling, two " +
  "capabilities, a rare one), no alternates. SearchAgents: any of two capabilities below a price, the " +
  "cheapest 20; four pairs, popular to rare. Each answer before and after a load is compared with " +
  "who was registered; all that were given under load must be OK by discovery's own count. " +
  "Another max_cost: the same filters, each call with a price ceiling of its own, picks by all " +
  "strategies in turns. Refused: nobody asks so little. Both come from a program of the bench, as h2load " +
  "says the same over and over.";

/** The document of a run. */
export function documentOf(setup: Setup, figures: Figures): BenchDocument {
  const { machine, h2load, settings } = setup;
  const {
    redisUrl,
    json: _json,
    check: _check,
    plot: _plot,
    profile: _profile,
    ...chosen
  } = settings;
  const redis = redisUrl === undefined ? "own" : "given";
  const { rows, sizes } = figures;
  return {
    bench: "discovery",
    settings: { ...chosen, redis, machine, h2load, peer: PEER_DOES, asked: ASKED },
    figures: {
      ...figures,
      summaries: summarize(rows),
      sizes: sizes.map((size) => ({ ...size, bytesPerAgent: bytesPerAgent(sizes, size) })),
    },
    bars: barsOf(figures, settings),
  };
}

/** The same for people. */
export function tablesOf(setup: Setup, figures: Figures): string {
  const { machine, h2load, settings } = setup;
  const { connections, streams, seconds, rounds, changes } = settings;
  return [
    machineLine(machine),
    `Node ${machine.node}; ${h2load}; Postgres and registry on the same machine, without auction and ledger`,
    `${rounds} x ${seconds} s each, ${connections} connections of ${streams} calls; ` +
      `${whole(changes)} profiles change in a second`,
    `The peer: ${PEER_DOES}`,
    `Asked: ${ASKED}`,
    "",
    loadTable(figures),
    "",
    sizeTable(figures.sizes),
    ...registeredLines(figures.registered),
    ...(settings.only.includes("etcd") ? etcdTable(figures.etcd) : []),
    ...figures.profiled.flatMap(({ agents, subject, hottest }) => [
      "",
      `${subject}, ${whole(agents)} agents: where the time of discovery's process goes`,
      ...hottest.map(({ name, share }) => `${(share * 100).toFixed(1).padStart(6)}%  ${name}`),
    ]),
    "",
    barTable(barsOf(figures, settings)),
  ].join("\n");
}

function loadTable({ rows }: Figures): string {
  return tableOf(
    "measured|>agents|>per s|>x empty|>CPU us|>p50 ms|>p99 ms|>p99 x empty".split("|"),
    summarize(rows).map((one) => [
      one.subject,
      whole(one.agents),
      whole(one.perSecond),
      fixed(one.ratio),
      fixed(one.cpuUs),
      fixed(one.p50Ms),
      fixed(one.p99Ms),
      fixed(one.p99Ratio),
    ]),
  );
}

function sizeTable(sizes: readonly SizeFigures[]): string {
  const head =
    ">agents|>registered/s, followed|>registry's CPU us|>changes/s|>CPU us each|>refused|>visible p50 ms|>p99 ms|" +
    ">told p99 ms|>of|>resident MB|>bytes an agent|>ready s|>new one's MB";
  return tableOf(
    head.split("|"),
    sizes.map((size) => [
      whole(size.agents),
      whole(size.registered.perSecond),
      fixed(size.registered.cpuUs),
      whole(size.changesPerSecond),
      fixed(size.changeCpuUs),
      reasons(size.changesRefused),
      fixed(size.visible.p50Ms),
      fixed(size.visible.p99Ms),
      fixed(size.told.p99Ms),
      whole(size.visible.samples),
      megabytes(size.residentBytes),
      fixed(bytesPerAgent(sizes, size)),
      fixed(size.ready?.seconds),
      megabytes(size.ready?.residentBytes),
    ]),
  );
}

function registeredLines(registered: Registered | undefined): readonly string[] {
  if (registered === undefined) return [];
  const { agents, perSecond, cpuUs } = registered;
  return [
    "",
    `A registry that nobody follows: ${whole(perSecond)} agents/s by BatchRegisterAgents, ` +
      `${fixed(cpuUs)} us of its CPU each, ${whole(agents)} agents`,
  ];
}

function etcdTable(etcd: Figures["etcd"]): readonly string[] {
  if (etcd === undefined) return ["", "no etcd on the PATH: apt-get install etcd-server (Debian)"];
  const rows = etcd.rows.map(({ subject, perSecond, p50Ms, p99Ms }) => [
    subject,
    whole(perSecond),
    fixed(p50Ms),
    fixed(p99Ms),
  ]);
  return [
    "",
    `${etcd.version}, one member, ${whole(etcd.keys)} agents as keys, Range:`,
    tableOf(["etcd", ">per s", ">p50 ms", ">p99 ms"], rows),
  ];
}

function reasons(counts: Readonly<Record<string, number>>): string {
  return Object.entries(counts)
    .map(([reason, count]) => `${whole(count)} ${reason}`)
    .join(", ");
}

function megabytes(bytes: number | undefined): string {
  return bytes === undefined ? "" : whole(bytes / 1e6);
}
