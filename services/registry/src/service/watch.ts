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
import { agentEvents, agentPageEvents, type Told } from "../agent-bytes.ts";
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

  async function toldOf(agents: readonly Agent[]): Promise<Told[]> {
    const presences = await availability.read(agents.map((agent) => agent.id));
    const at = now();
    return agents.map((agent) => {
      const [presence, known] = [presences.get(agent.id), breakers.known(agent.id)];
      return { agent, presence, now: at, breakers: known };
    });
  }

  /** Whether a follower has missed that an agent left; in a snapshot, which is from 0, nobody can have. */
  async function isBehind(from: bigint, known: bigint | undefined): Promise<boolean> {
    return from > 0n && hasMissed(await store.readRemovals(), from, known);
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
        const events = feed.followPages<Told>({
          token: resumed?.feedToken ?? "",
          signal: ctx.signal,
          idleMs: IDLE_MS,
          isDue: () => availability.staleSince()?.getTime() !== toldStale,
          read: async (_pool, range: FeedRange) => {
            const rows = await store.readChanges(range, oldest);
            const [hasToBegin, told] = await Promise.all([
              isBehind(range.from, removed),
              toldOf(rows.map((row) => row.value)),
            ]);
            if (hasToBegin) throw missed();
            return rows.map(({ changedIn, id }, index) => {
              return { changedIn, id, value: told[index] as Told };
            });
          },
          others: async () => {
            if (concerns.isEmpty()) {
              toldAt = availability.toldUntil();
              return [];
            }
            const known = await store.readAgents(await concerns.take());
            const agents = [...known.values()].filter((one) => one.unregisteredAt === undefined);
            return toldOf(agents);
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
  event: FeedPage<Told>,
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
      const frames = { usual: frame(event.token), last: frame(event.lastToken) };
      const messages = together
        ? agentPageEvents(event.values, frames, TOGETHER_BYTES)
        : agentEvents(event.values, frames);
      let lot: Uint8Array[] = [];
      let bytes = 0;
      for (const message of messages) {
        lot.push(message);
        bytes += message.length;
        if (bytes < TOGETHER_BYTES) continue;
        yield encodedAll(WatchAgentsResponseSchema, lot);
        lot = [];
        bytes = 0;
      }
      if (lot.length > 0) yield encodedAll(WatchAgentsResponseSchema, lot);
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
