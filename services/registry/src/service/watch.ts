import type { FeedRange } from "@bourse/postgres/feed";
import type { Agent as AgentMessage } from "@bourse/proto/bourse/registry/v1/agent_pb.ts";
import type {
  RegistryService,
  WatchAgentsResponseSchema,
} from "@bourse/proto/bourse/registry/v1/registry_service_pb.ts";
import { Rejection } from "@bourse/rpc/rejection";
import type { MessageInitShape } from "@bufbuild/protobuf";
import type { ServiceImpl } from "@connectrpc/connect";
import type { Agent } from "../agent.ts";
import { encodeAgent } from "../codec.ts";
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
  const { store, availability, feed, now } = parts;

  async function encodeAll(agents: readonly Agent[]): Promise<AgentMessage[]> {
    const presences = await availability.read(agents.map((agent) => agent.id));
    const at = now();
    return agents.map((agent) => encodeAgent(agent, presences.get(agent.id), at));
  }

  return {
    async *watchAgents({ resumeToken }, ctx) {
      const since = now();
      const resumed = parseResumeToken(resumeToken, since);
      const removed = resumed === undefined ? (await store.readRemovals()).rows : undefined;
      const concerns = createConcerns({
        store,
        atOnce: AT_ONCE,
        wake: feed.wake,
        onFault: (error) => parts.onFault(error, "leased agents could not be listed"),
      });
      const unsubscribe = availability.subscribe(concerns.hear);
      // Until when all that was heard has been told: a watcher that resumes hears the rest again.
      let toldAt = resumed?.since ?? since;
      try {
        if (resumed !== undefined) {
          concerns.hear(await availability.changesSince(resumed.since));
        }
        const oldest = new Date(since.getTime() - SLACK_MS);
        const events = feed.follow<AgentMessage>({
          token: resumed?.feedToken ?? "",
          signal: ctx.signal,
          idleMs: IDLE_MS,
          read: async (_pool, range: FeedRange) => {
            const rows = await store.readChanges(range, oldest);
            if (hasMissed(await store.readRemovals(), range.from, removed)) throw missed();
            const messages = await encodeAll(rows.map((row) => row.value));
            return rows.map(({ changedIn, id }, index) => {
              return { changedIn, id, value: messages[index] as AgentMessage };
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
          const message = encodeEvent(event, toldAt);
          if (message !== undefined) yield message;
        }
      } finally {
        unsubscribe();
        concerns.end();
      }
    },
  };
}

function missed(): Rejection {
  const reason: Reason = "INVALID_RESUME_TOKEN";
  return new Rejection(reason, "an agent was erased that you may still know: watch anew");
}

type Event =
  | { readonly kind: "item"; readonly value: AgentMessage; readonly token: string }
  | { readonly kind: "synced" | "idle" | "caught-up"; readonly token: string };

function encodeEvent(
  event: Event,
  at: Date,
): MessageInitShape<typeof WatchAgentsResponseSchema> | undefined {
  const resumeToken = event.token === "" ? "" : formatResumeToken(event.token, at);
  switch (event.kind) {
    case "item":
      return { event: { case: "agent", value: event.value }, resumeToken };
    case "synced":
      return { event: { case: "synced", value: true }, resumeToken };
    case "idle":
      return { event: { case: "idle", value: true }, resumeToken };
    case "caught-up":
      // Its token stood with the last agent of the round.
      return undefined;
  }
}
