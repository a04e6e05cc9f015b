import type { FeedPage, FeedRange } from "@bourse/postgres/feed";
import {
  type RegistryService,
  WatchAgentsResponseSchema,
} from "@bourse/proto/bourse/registry/v1/registry_service_pb.ts";
import { encodedAll } from "@bourse/rpc";
import { Rejection } from "@bourse/rpc/rejection";
import type { MessageInitShape } from "@bufbuild/protobuf";
import { timestampFromDate } from "@bufbuild/protobuf/wkt";
import type { ServiceImpl } from "@connectrpc/connect";
import type { Agent } from "../agent.ts";
import {
  agentBytes,
  agentEventBytes,
  agentPageEventBytes,
  type EventFrame,
} from "../agent-bytes.ts";
import { createConcerns } from "../concerns.ts";
import { hasMissed } from "../erasure.ts";
import type { Reason } from "../reasons.ts";
import { formatResumeToken, parseResumeToken } from "../resume-token.ts";
import type { Parts } from "./parts.ts";

/** Silence after which a watcher hears that nothing happened. */
const IDLE_MS = 15_000;
/** Agents read at once for their availability. */
const AT_ONCE = 500;
/** Tombstones this much older than a watcher are left out of its snapshot. */
const SLACK_MS = 60_000;

/**
 * WatchAgents: the feed of the table, and beside it the agents whose availability changed. Both are read in one loop,
 * so that an older state of an agent never follows a newer one.
 */
export function watching(parts: Parts): Pick<ServiceImpl<typeof RegistryService>, "watchAgents"> {
  const { store, availability, breakers, feed, now } = parts;

  async function encodeAll(agents: readonly Agent[]): Promise<Uint8Array[]> {
    const presences = await availability.read(agents.map((agent) => agent.id));
    const at = now();
    return agents.map((agent) => {
      const [presence, known] = [presences.get(agent.id), breakers.known(agent.id)];
      return agentBytes({ agent, presence, now: at, breakers: known });
    });
  }

  return {
    async *watchAgents({ resumeToken, together }, ctx) {
      const since = now();
      const resumed = parseResumeToken(resumeToken, since);
      const removed = resumed === undefined ? (await store.readRemovals()).rows : undefined;
      const concerns = createConcerns({
        store,
        atOnce: AT_ONCE,
        wake: feed.wake,
        onFault: (error) => parts.onFault(error, "registered agents could not be listed"),
      });
      const hearBreakers = (agentIds: readonly string[]) =>
        concerns.hear({ kind: "agents", agentIds });
      const subscriptions = [
        availability.subscribe(concerns.hear),
        breakers.subscribe(hearBreakers),
      ];
      // Until when all that was heard has been told: a watcher that resumes hears the rest again.
      let toldAt = resumed?.since ?? since;
      let toldStale: number | undefined;
      try {
        if (resumed !== undefined) {
          concerns.hear(await availability.changesSince(resumed.since));
          hearBreakers(await breakers.changedSince(resumed.since));
        }
        const oldest = new Date(since.getTime() - SLACK_MS);
        const events = feed.followPages<Uint8Array>({
          token: resumed?.feedToken ?? "",
          signal: ctx.signal,
          idleMs: IDLE_MS,
          isDue: () => availability.staleSince()?.getTime() !== toldStale,
          read: async (_pool, range: FeedRange) => {
            const rows = await store.readChanges(range, oldest);
            const [removals, messages] = await Promise.all([
              store.readRemovals(),
              encodeAll(rows.map((row) => row.value)),
            ]);
            if (hasMissed(removals, range.from, removed)) throw missed();
            return rows.map(({ changedIn, id }, index) => {
              return { changedIn, id, value: messages[index] as Uint8Array };
            });
          },
          others: async () => {
            if (concerns.isEmpty()) {
              toldAt = availability.toldUntil();
              return [];
            }
            const known = await store.readAgents(await concerns.take());
            const agents = [...known.values()].filter((one) => one.unregisteredAt === undefined);
            return encodeAll(agents);
          },
        });
        for await (const event of events) {
          const staleSince = availability.staleSince();
          yield* encodeEvent(event, { at: toldAt, staleSince, together });
          // That one is not told.
          if (event.kind !== "caught-up") toldStale = staleSince?.getTime();
        }
      } finally {
        for (const unsubscribe of subscriptions) unsubscribe();
        concerns.end();
      }
    },
  };
}

function missed(): Rejection {
  const reason: Reason = "INVALID_RESUME_TOKEN";
  return new Rejection(reason, "an agent was erased that you may still know: watch anew");
}

type WatchEvent = MessageInitShape<typeof WatchAgentsResponseSchema>;

/** What is held at most for a watcher that does not read. */
const TOGETHER_BYTES = 64 * 1024;

/** What is said with every event, and how. */
interface Telling {
  /** Until when all that was heard has been told. */
  readonly at: Date;
  readonly staleSince: Date | undefined;
  readonly together: boolean;
}

function* encodeEvent(
  event: FeedPage<Uint8Array>,
  { at, staleSince, together }: Telling,
): Generator<WatchEvent> {
  const format = (token: string) => (token === "" ? "" : formatResumeToken(token, at));
  const frame = (token: string) => ({ resumeToken: Buffer.from(format(token)), staleSince });
  const said = (token: string) => ({
    resumeToken: format(token),
    ...(staleSince !== undefined && { staleSince: timestampFromDate(staleSince) }),
  });
  switch (event.kind) {
    case "page": {
      const write = together ? inOneMessage : inMessagesOfTheirOwn;
      const [usual, lastFrame] = [frame(event.token), frame(event.lastToken)];
      const last = event.values.length - 1;
      let agents: Uint8Array[] = [];
      let bytes = 0;
      for (const [nth, agent] of event.values.entries()) {
        agents.push(agent);
        bytes += agent.length;
        if (bytes < TOGETHER_BYTES && nth < last) continue;
        const messages = write(agents, usual, nth === last ? lastFrame : usual);
        yield encodedAll(WatchAgentsResponseSchema, messages);
        agents = [];
        bytes = 0;
      }
      return;
    }
    case "synced":
      yield { event: { case: "synced", value: true }, ...said(event.token) };
      return;
    case "idle":
      yield { event: { case: "idle", value: true }, ...said(event.token) };
      return;
    case "caught-up":
      // Its token stood with the last agent of the round.
      return;
  }
}

/** Writes agents as messages of a watch; the last of these says what `last` does, and those before it `usual`. */
type Write = (
  agents: readonly Uint8Array[],
  usual: EventFrame,
  last: EventFrame,
) => readonly Uint8Array[];

const inOneMessage: Write = (agents, _usual, last) => [agentPageEventBytes(agents, last)];

const inMessagesOfTheirOwn: Write = (agents, usual, last) => {
  const lastNth = agents.length - 1;
  return agents.map((agent, nth) => agentEventBytes(agent, nth === lastNth ? last : usual));
};
