import {
  EraseAgentRequestSchema,
  EraseAgentResponseSchema,
  type ErasureSchema,
  type RegistryService,
} from "@bourse/proto/bourse/registry/v1/registry_service_pb.ts";
import { decodePageToken, encodePageToken, pageSize } from "@bourse/rpc/page";
import { Rejection } from "@bourse/rpc/rejection";
import { answerOnce } from "@bourse/service/mutation";
import type { MessageInitShape } from "@bufbuild/protobuf";
import { timestampFromDate } from "@bufbuild/protobuf/wkt";
import type { ServiceImpl } from "@connectrpc/connect";
import { eraseMessages } from "../eraser.ts";
import { beginErasure, type Erasure } from "../erasure.ts";
import { erasureEvent, lineageOf } from "../lineage.ts";
import type { Reason } from "../reasons.ts";
import type { Parts } from "./parts.ts";

type Erasing = Pick<
  ServiceImpl<typeof RegistryService>,
  "eraseAgent" | "getErasure" | "listErasures"
>;

/** EraseAgent, which begins what the outbox carries on, and what tells how far it is. */
export function erasing(parts: Parts): Erasing {
  const { store, availability, now, newId, newAlias } = parts;

  return {
    async eraseAgent(request, ctx) {
      const { agentId } = request;
      const schemas = { input: EraseAgentRequestSchema, output: EraseAgentResponseSchema };
      let begun: Erasure | undefined;
      const response = await store.write(async (unit) => {
        // Before its own request is remembered: what the agent was answered is forgotten.
        begun = undefined;
        const before = (await unit.lockAgents([agentId])).get(agentId);
        const pending = await unit.pendingErasure(agentId);
        return answerOnce(unit.tx, ctx, schemas, request, async () => {
          if (pending !== undefined) return { erasure: encodeErasure(pending) };
          const at = now();
          const erasure = beginErasure(newId(), newAlias(), at);
          const order = { erasureId: erasure.id, agentId, alias: erasure.alias };
          begun = erasure;
          await unit.insertErasure(erasure, order);
          const isThere = before !== undefined && before.unregisteredAt === undefined;
          const gone = isThere ? [lineageOf("agent_unregistered", before, at, newId(), {})] : [];
          const events = [erasureEvent("erasure_requested", erasure.id, at), ...gone];
          await unit.enqueue([...events, ...eraseMessages(order)], at);
          return { erasure: encodeErasure(erasure) };
        });
      }, ctx);
      if (begun !== undefined) {
        parts.committed();
        parts.tell("erasure_requested", { erasure_id: begun.id });
        await availability.forget(agentId);
      }
      return response;
    },

    async getErasure({ erasureId }) {
      const erasure = await store.readErasure(erasureId);
      if (erasure === undefined) throw erasureNotFound(erasureId);
      return { erasure: encodeErasure(erasure) };
    },

    async listErasures({ pageSize: asked, pageToken, pendingOnly }) {
      const filter = { pendingOnly };
      const [at, id] = decodePageToken(filter, pageToken, 2) ?? [];
      const after =
        at === undefined || id === undefined ? undefined : { requestedAt: new Date(at), id };
      const size = pageSize(asked);
      const read = await store.listErasures(filter, after, size + 1);
      const page = read.slice(0, size);
      const last = page.at(-1);
      const isLast = last === undefined || page.length === read.length;
      return {
        erasures: page.map(encodeErasure),
        nextPageToken: isLast
          ? ""
          : encodePageToken(filter, [last.requestedAt.toISOString(), last.id]),
      };
    },
  };
}

function encodeErasure(erasure: Erasure): MessageInitShape<typeof ErasureSchema> {
  const { id, alias, requestedAt, completedAt, steps } = erasure;
  return {
    erasureId: id,
    alias,
    requestTime: timestampFromDate(requestedAt),
    ...(completedAt !== undefined && { completeTime: timestampFromDate(completedAt) }),
    steps: steps.map(({ service, completedAt: doneAt, refusal }) => ({
      service,
      ...(doneAt !== undefined && { completeTime: timestampFromDate(doneAt) }),
      ...(refusal !== undefined && {
        reason: refusal.reason,
        metadata: refusal.metadata,
        tryTime: timestampFromDate(refusal.at),
      }),
    })),
  };
}

function erasureNotFound(erasureId: string): Rejection {
  const reason: Reason = "ERASURE_NOT_FOUND";
  return new Rejection(reason, `there is no erasure '${erasureId}'`, {
    metadata: { erasure_id: erasureId },
  });
}
