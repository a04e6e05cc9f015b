import { join } from "node:path";
import { type Companion, startCompanion } from "../companion.ts";
import { type LoadMeasure, runLoad } from "../h2load.ts";
import type { Run } from "../program.ts";
import { runVaried } from "../varied-load.ts";
import type { EmptyRequest, Usage } from "./empty-server.ts";
import type { Settings } from "./settings.ts";
import { readUsage, type ServiceUsage, type Stage } from "./stage.ts";
import { pathOf, type Target } from "./targets.ts";
import type { Census } from "./wanted.ts";

/** What the loads work with. */
export interface LoadParts extends Run {
  readonly settings: Settings;
  readonly stage: Stage;
  readonly census: Census;
  readonly peer: Peer;
  /** Where discovery opens its inspector when it is to be profiled. */
  readonly inspectorPort: number | undefined;
}

/** The empty server, in a process of its own. */
export interface Peer extends AsyncDisposable {
  readonly address: string;
  readonly companion: Companion;
}

/** Where a measurement stands. */
export interface Place {
  readonly agents: number;
  readonly round: number;
  /** Which pair of the round: what is measured, and the empty server by turns with it. */
  readonly pair: number;
}

/** A load of so many seconds on one of a pair. */
export interface Slice extends LoadMeasure {
  /** What the server itself took of the CPU meanwhile, and the calls that it counted. */
  readonly cpuSeconds: number;
  readonly counted: number;
}

/** Starts the empty server, with the flags that services have. */
export async function startPeer(signal: AbortSignal): Promise<Peer> {
  await using started = new AsyncDisposableStack();
  const companion = started.use(
    startCompanion(join(import.meta.dirname, "empty-server.ts"), { signal }),
  );
  const paths = [pathOf("SelectAgent"), pathOf("SearchAgents")];
  const port = await companion.ask<number>({ ask: "serve", paths } satisfies EmptyRequest);
  const stack = started.move();
  return {
    address: `127.0.0.1:${port}`,
    companion,
    [Symbol.asyncDispose]: () => stack.disposeAsync(),
  };
}

/** The name of the empty server as it answers a method. */
export function emptyAs(method: Target["method"]): string {
  return `empty, as ${method}`;
}

/** The empty server, asked what the target is asked, answering as many bytes. */
export async function measurePeer(
  parts: LoadParts,
  place: Place,
  target: Target,
  { bytes, seconds }: { readonly bytes: number; readonly seconds: number },
): Promise<Slice> {
  const { address, companion } = parts.peer;
  const subject = emptyAs(target.method);
  const before = await companion.ask<Usage>({ ask: "answer", bytes } satisfies EmptyRequest);
  const measure = await load(parts, place, target, { subject, address, seconds });
  const after = await companion.ask<Usage>({ ask: "usage" } satisfies EmptyRequest);
  const cpuSeconds = after.cpuSeconds - before.cpuSeconds;
  return { ...measure, cpuSeconds, counted: after.calls - before.calls };
}

/** Discovery. @throws Error when one of its answers was wrong, or another than it should be */
export async function measureTarget(
  parts: LoadParts,
  place: Place,
  target: Target,
  seconds: number,
): Promise<Slice & { readonly residentBytes: number }> {
  const { stage, census } = parts;
  const { subject, method, code = "ok" } = target;
  const metrics = stage.market.metricsAddress("discovery");
  await target.check(stage.caller, census);
  const before = await readUsage(metrics);
  const address = stage.market.address("discovery");
  const measure = await load(parts, place, target, { subject, address, seconds });
  const after = await readUsage(metrics);
  await target.check(stage.caller, census);
  const { [code]: right = 0, ...others } = callsBetween(before, after, method);
  if (Object.keys(others).length > 0 || right < measure.calls) {
    const codes = JSON.stringify({ [code]: right, ...others });
    throw new Error(`${subject}: ${measure.calls} answers, and by discovery's count ${codes}`);
  }
  return {
    ...measure,
    cpuSeconds: after.cpuSeconds - before.cpuSeconds,
    counted: right,
    residentBytes: after.residentBytes,
  };
}

function callsBetween(
  before: ServiceUsage,
  after: ServiceUsage,
  method: Target["method"],
): Readonly<Record<string, number>> {
  const counted = before.calls(method);
  const since = [...after.calls(method)].map(([code, calls]) => [
    code,
    calls - (counted.get(code) ?? 0),
  ]);
  return Object.fromEntries(since.filter(([, calls]) => calls !== 0));
}

async function load(
  { settings, stage, signal, say }: LoadParts,
  { agents, round }: Place,
  { method, messages, isVaried = false }: Target,
  on: { readonly subject: string; readonly address: string; readonly seconds: number },
): Promise<LoadMeasure> {
  const { connections, streams } = settings;
  const { subject, address, seconds } = on;
  say(`${subject}, ${agents} agents, round ${round}, ${seconds} s`);
  return (isVaried ? runVaried : runLoad)({
    address,
    path: pathOf(method),
    messages,
    token: stage.token,
    connections,
    streams,
    seconds,
    signal,
  });
}
