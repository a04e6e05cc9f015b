import {
  DiscoveryService,
  SearchAgentsRequestSchema,
  SearchAgentsResponseSchema,
} from "@bourse/proto/bourse/discovery/v1/discovery_service_pb.ts";
import {
  RegisterAgentRequestSchema,
  RegistryService,
  UpdateAgentRequestSchema,
  UpdateAgentResponseSchema,
} from "@bourse/proto/bourse/registry/v1/registry_service_pb.ts";
import { openCaller } from "@bourse/rpc/bench";
import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { timestampMs } from "@bufbuild/protobuf/wkt";
import { chanceOf } from "../../support/chance.ts";
import { answerAsks } from "../companion.ts";
import { agentId, CURRENCY, priceOf, registrationOf } from "./population.ts";

// What goes on in the market while discovery is measured: prices change at a fixed rate. Some of them are
// those of agents with a capability that nobody else has: discovery is asked for it until it tells the new
// price, so that each tells how long a change takes to be seen.

/** What is asked of it. */
export type ChangesRequest =
  /** Change the prices of so many agents from now on; answers when the probes are registered. */
  | { readonly ask: "begin"; readonly agents: number; readonly perSecond: number }
  /** Change nothing until the next `begin`. */
  | { readonly ask: "pause" }
  /** Answers with what happened since it was last asked. */
  | { readonly ask: "window" };

/** When a change was seen, in milliseconds. */
export interface SeenProbe {
  /** From the registry's time stamp until discovery was asked for the first time by a caller who was told of it. */
  readonly visibleMs: number;
  /** From when the change was sent until that caller had his answer. */
  readonly toldMs: number;
}

/** What happened in a window of time. */
export interface ChangesWindow {
  readonly seconds: number;
  /** Changes that the registry has acknowledged. */
  readonly changed: number;
  /** Those it did not, by the number of the status. */
  readonly refused: Readonly<Record<string, number>>;
  /** Of each change of a probe; one that is not seen within ten seconds is given up, and counts as so long. */
  readonly probes: readonly SeenProbe[];
}

const [registryAddress = "", discoveryAddress = ""] = process.argv.slice(2);
const token = process.env["BOURSE_TOKEN"] ?? "";
const registry = openCaller(registryAddress, token);
const discovery = openCaller(discoveryAddress, token);
const REGISTER = `${RegistryService.typeName}/RegisterAgent`;
const UPDATE = `${RegistryService.typeName}/UpdateAgent`;
const SEARCH = `${DiscoveryService.typeName}/SearchAgents`;

/**
 * On a machine that cannot do what is asked, more than this would only wait in queues of the registry,
 * before what discovery waits for.
 */
const UNDER_WAY_MAX = 256;
const TICK_MS = 5;
const PROBES = 8;
const PROBE_EVERY_MS = 250;
/** Asked more often it would take from the machine what is measured, and from the empty server most. */
const ASK_EVERY_MS = 10;
const ASKS_MAX = 32;
const UNSEEN_MS = 10_000;

const chance = chanceOf(1);
const state = { agents: 0, perSecond: 0, running: false, underWay: 0, due: 0, lastMs: 0 };
let seen = emptyWindow();

answerAsks<ChangesRequest>(async (request) => {
  if (request.ask === "begin") await begin(request.agents, request.perSecond);
  else if (request.ask === "pause") state.running = false;
  else return window();
  return undefined;
});

/** Milliseconds since the epoch, finer than a millisecond. */
function now(): number {
  return performance.timeOrigin + performance.now();
}

async function begin(agents: number, perSecond: number): Promise<void> {
  if (state.agents === 0) await Promise.all(Array.from({ length: PROBES }, (_, nth) => probe(nth)));
  Object.assign(state, { agents, perSecond, running: true, due: 0, lastMs: now() });
}

function emptyWindow() {
  const [probes, refused]: [SeenProbe[], Record<string, number>] = [[], {}];
  return { changed: 0, refused, probes, sinceMs: now() };
}

function window(): ChangesWindow {
  const { sinceMs, ...rest } = seen;
  const at = now();
  seen = emptyWindow();
  return { ...rest, seconds: (at - sinceMs) / 1_000 };
}

setInterval(() => {
  if (!state.running) return;
  const at = now();
  state.due += ((at - state.lastMs) * state.perSecond) / 1_000;
  state.lastMs = at;
  for (; state.due >= 1; state.due -= 1) {
    if (state.underWay < UNDER_WAY_MAX) void change(agentId(chance.below(state.agents)));
  }
}, TICK_MS);

async function change(id: string): Promise<void> {
  state.underWay += 1;
  try {
    await setPrice(id, priceOf(chance.below(1_000)));
    seen.changed += 1;
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    seen.refused[reason] = (seen.refused[reason] ?? 0) + 1;
  } finally {
    state.underWay -= 1;
  }
}

/** Answers with the agent as the registry encoded it, which most callers do not read. */
async function setPrice(id: string, micros: bigint): Promise<Uint8Array> {
  const pricing = { costPerTask: { micros, currencyCode: CURRENCY } };
  const request = create(UpdateAgentRequestSchema, {
    agentId: id,
    profile: { pricing },
    updateMask: { paths: ["pricing"] },
  });
  return registry.call(UPDATE, toBinary(UpdateAgentRequestSchema, request));
}

/**
 * Registers an agent with a capability of its own, waits until discovery knows it, and from then on changes
 * its price every now and then.
 */
async function probe(nth: number): Promise<void> {
  const id = `probe-${nth}`;
  const capability = `probe-${nth}`;
  const like = { id, skills: [], priceMicros: 1n, p95Seconds: 1, region: "nowhere" };
  const { profile } = registrationOf(like);
  const request = create(RegisterAgentRequestSchema, {
    agentId: id,
    replaceExisting: true,
    profile: { ...profile, capabilities: [capability] },
  });
  await registry.call(REGISTER, toBinary(RegisterAgentRequestSchema, request));
  await untilShown(capability, 1n);
  let micros = 1n;
  let isWatching = false;
  const turn = async (): Promise<void> => {
    if (!state.running || isWatching) return;
    isWatching = true;
    micros += 1n;
    await watchChange(id, capability, micros).catch(() => {});
    isWatching = false;
  };
  // By the clock and spread over the time between two: those that wait for the one before would soon all wait together,
  // and see the same moment.
  setTimeout(() => setInterval(turn, PROBE_EVERY_MS), (PROBE_EVERY_MS * nth) / PROBES);
}

async function watchChange(id: string, capability: string, micros: bigint): Promise<void> {
  const sentMs = now();
  const { agent } = fromBinary(UpdateAgentResponseSchema, await setPrice(id, micros));
  const stampedMs = agent?.updateTime === undefined ? Number.NaN : timestampMs(agent.updateTime);
  const { askedMs, toldMs } = await untilShown(capability, micros);
  seen.probes.push({ visibleMs: askedMs - stampedMs, toldMs: toldMs - sentMs });
}

/**
 * Asks discovery again and again, also while it has not answered yet: who waits in its queue would learn of a change
 * that others see already. Answers with when it was asked by the first caller who was told the price, and when he was.
 */
async function untilShown(
  capability: string,
  micros: bigint,
): Promise<{ readonly askedMs: number; readonly toldMs: number }> {
  const shown = Promise.withResolvers<{ readonly askedMs: number; readonly toldMs: number }>();
  let underWay = 0;
  const ask = async () => {
    if (underWay === ASKS_MAX) return;
    underWay += 1;
    const askedMs = now();
    // They are answered in the order in which they were asked.
    const price = await shownPrice(capability);
    underWay -= 1;
    if (price === micros) shown.resolve({ askedMs, toldMs: now() });
  };
  const asking = setInterval(() => void ask().catch(shown.reject), ASK_EVERY_MS);
  const giveUp = () => shown.resolve({ askedMs: now(), toldMs: now() });
  const limit = setTimeout(giveUp, UNSEEN_MS);
  void ask().catch(shown.reject);
  try {
    return await shown.promise;
  } finally {
    clearInterval(asking);
    clearTimeout(limit);
  }
}

/** Undefined while discovery knows of nobody. */
async function shownPrice(capability: string): Promise<bigint | undefined> {
  const request = create(SearchAgentsRequestSchema, { filter: { capabilities: [capability] } });
  const answer = await discovery.call(SEARCH, toBinary(SearchAgentsRequestSchema, request));
  const { agents } = fromBinary(SearchAgentsResponseSchema, answer);
  return agents[0]?.profile?.pricing?.costPerTask?.micros;
}
