import { join } from "node:path";
import { choosePorts, waitUntilServing } from "@bourse/cli/market";
import { freePort } from "@bourse/rpc/free-ports";
import { type Companion, startCompanion } from "../companion.ts";
import { latenciesOf, medianOf } from "../latencies.ts";
import type { Run } from "../program.ts";
import { anew } from "./anew.ts";
import type { ChangesRequest, ChangesWindow } from "./changes.ts";
import { measureEtcd } from "./etcd.ts";
import type { Figures, Profiled, Registered, Row, SizeFigures } from "./figures.ts";
import { startPeer } from "./loads.ts";
import { measurePair, type PairParts } from "./pair.ts";
import { prepareProfiles, profileLoads } from "./profile.ts";
import { registerUntil } from "./register.ts";
import type { Settings } from "./settings.ts";
import { openRegistry, openStage, readUsage, type Stage, untilKnown } from "./stage.ts";
import { picks, searches, type Target } from "./targets.ts";
import { Census } from "./wanted.ts";

/** What each part of the bench works with. */
type Bench = PairParts;

const READY_LIMIT_MS = 300_000;
/** So many agents tell how fast a registry is. */
const ALONE_MAX = 100_000;

/** Grows a market from size to size, and measures it at each. */
export async function runBench(settings: Settings, run: Run): Promise<Figures> {
  const inspectorPort = settings.profile === undefined ? undefined : await freePort();
  if (inspectorPort !== undefined) prepareProfiles(inspectorPort);
  const registered = settings.only.includes("register")
    ? await registerAlone(settings, run)
    : undefined;
  await using stage = await openStage(run, settings.redisUrl);
  await using peer = await startPeer(run.signal);
  await using changes = startChanges(stage, run.signal);
  const bench = { ...run, settings, stage, peer, changes, inspectorPort, census: new Census() };
  const rows: Row[] = [];
  const sizes: SizeFigures[] = [];
  const profiled: Profiled[] = [];
  for (const agents of settings.agents) {
    const measured = await measureSize(bench, agents);
    rows.push(...measured.rows);
    sizes.push(measured.size);
    profiled.push(...measured.profiled);
  }
  const etcd = settings.only.includes("etcd") ? await measureEtcd(bench) : undefined;
  return { rows, sizes, registered, etcd, profiled };
}

function startChanges({ market, token }: Stage, signal: AbortSignal): Companion {
  return startCompanion(join(import.meta.dirname, "changes.ts"), {
    parameters: [market.address("registry"), market.address("discovery")],
    env: { BOURSE_TOKEN: token },
    signal,
  });
}

async function measureSize(
  bench: Bench,
  agents: number,
): Promise<{
  readonly rows: readonly Row[];
  readonly size: SizeFigures;
  readonly profiled: readonly Profiled[];
}> {
  const { settings, changes } = bench;
  const ask = <T>(request: ChangesRequest) => changes.ask<T>(request);
  await ask({ ask: "pause" });
  const registered = await registerFollowed(bench, agents);
  await ask({ ask: "begin", agents, perSecond: settings.changes });
  const wanted = settings.only;
  const groups = [
    ...(wanted.includes("select") ? [picks()] : []),
    ...(wanted.includes("search") ? [[searches()]] : []),
    ...(wanted.includes("anew") ? [anew()] : []),
  ];
  // Code that nobody has called yet is slow, ours and the peer's.
  if (agents === settings.agents[0]) await warmUp(bench, agents, groups);
  const rows: Row[] = [];
  const residents: number[] = [];
  const changeCosts: number[] = [];
  const windows: ChangesWindow[] = [];
  for (let round = 1; round <= settings.rounds; round += 1) {
    for (const [pair, target] of groups.flat().entries()) {
      const measured = await measurePair(bench, { agents, round, pair }, target);
      rows.push(...measured.rows);
      windows.push(...measured.windows);
      changeCosts.push(...measured.changeCostsUs);
      residents.push(measured.residentBytes);
    }
  }
  const ready = wanted.includes("ready") ? await measureReady(bench, agents) : undefined;
  const profiled = await profileLoads(bench, agents, groups.flat());
  const seconds = windows.reduce((sum, window) => sum + window.seconds, 0);
  const changed = windows.reduce((sum, window) => sum + window.changed, 0);
  const probes = windows.flatMap((window) => window.probes);
  return {
    rows,
    profiled,
    size: {
      agents,
      registered,
      changesPerSecond: seconds === 0 ? 0 : changed / seconds,
      changeCpuUs: medianOf(changeCosts),
      changesRefused: sumOf(windows.map(({ refused }) => refused)),
      visible: { samples: probes.length, ...latenciesOf(probes.map((one) => one.visibleMs)) },
      told: latenciesOf(probes.map((one) => one.toldMs)),
      residentBytes: medianOf(residents),
      ...(ready !== undefined && { ready }),
    },
  };
}

function sumOf(counts: readonly Readonly<Record<string, number>>[]): Record<string, number> {
  const sum: Record<string, number> = {};
  for (const [name, count] of counts.flatMap(Object.entries)) sum[name] = (sum[name] ?? 0) + count;
  return sum;
}

/** Puts a load of each kind on both servers once, and forgets what came of it. */
async function warmUp(
  bench: Bench,
  agents: number,
  groups: readonly (readonly Target[])[],
): Promise<void> {
  const place = { agents, round: 0, pair: 0 };
  for (const [target] of groups) {
    if (target === undefined) continue;
    await measurePair(bench, place, target);
  }
}

/** Registers as many agents as the largest market has, or ALONE_MAX of them, at a registry that nobody follows. */
async function registerAlone(settings: Settings, run: Run): Promise<Registered> {
  await using stage = await openRegistry(run, settings.redisUrl);
  const agents = Math.min(Math.max(...settings.agents), ALONE_MAX);
  return await register({ ...run, stage, census: new Census() }, agents);
}

/** Registers a market, and waits until discovery knows it. */
async function registerFollowed(bench: Bench, agents: number): Promise<Registered> {
  const registered = await register(bench, agents);
  await untilKnown(bench.stage.market.metricsAddress("discovery"), agents, bench.signal);
  return registered;
}

async function register(
  {
    stage,
    census,
    signal,
    say,
  }: Run & {
    readonly stage: Pick<Stage, "market" | "token">;
    readonly census: Census;
  },
  agents: number,
): Promise<Registered> {
  const { market, token } = stage;
  const added = agents - census.size;
  say(`registering ${added} agents`);
  const before = await readUsage(market.metricsAddress("registry"));
  const address = market.address("registry");
  const { seconds } = await registerUntil(agents, { address, token, census, signal });
  const after = await readUsage(market.metricsAddress("registry"));
  return {
    agents: added,
    perSecond: added / seconds,
    cpuUs: ((after.cpuSeconds - before.cpuSeconds) * 1e6) / added,
  };
}

async function measureReady(
  { stage, say, signal }: Bench,
  agents: number,
): Promise<SizeFigures["ready"]> {
  say(`a new discovery, ${agents} agents`);
  const ports = await choosePorts("auto");
  const startedAt = performance.now();
  await using replica = stage.market.replica("discovery", ports.discovery);
  const serves = await waitUntilServing(replica.address, READY_LIMIT_MS, signal);
  signal.throwIfAborted();
  if (!serves) throw new Error("a new discovery does not become ready");
  const seconds = (performance.now() - startedAt) / 1_000;
  const { residentBytes } = await readUsage(replica.metricsAddress);
  return { seconds, residentBytes };
}
