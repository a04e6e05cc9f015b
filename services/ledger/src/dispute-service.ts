import {
  type LedgerService,
  type RecordDeliveryRequest,
  ResolveDisputeRequestSchema,
  ResolveDisputeResponseSchema,
} from "@bourse/proto/bourse/ledger/v1/ledger_service_pb.ts";
import { encodePageToken, pageSize } from "@bourse/rpc/page";
import type { Fault } from "@bourse/rpc/rejection";
import { answerOnce } from "@bourse/service/mutation";
import { durationMs } from "@bufbuild/protobuf/wkt";
import type { HandlerContext, ServiceImpl } from "@connectrpc/connect";
import { callerOf, transactionOf } from "./answer.ts";
import type { Happening } from "./books.ts";
import type { Caller } from "./caller.ts";
import { decodeId, encodeTransaction } from "./codec.ts";
import type { Command } from "./command.ts";
import { decodeDisputeFilter, decodeEvidence, encodeDispute } from "./dispute-codec.ts";
import { rejectFaults, textFault } from "./limit.ts";
import { disputeCursor } from "./page.ts";
import type { LedgerOptions } from "./service.ts";

/** Serves deliveries, disputes and what is said in them. */
export function disputes(options: LedgerOptions) {
  const { store, submit, windows } = options;
  async function transact(command: Command, { signal }: HandlerContext) {
    const [answer] = await submit([command], { signal });
    return { transaction: encodeTransaction(transactionOf(answer)) };
  }

  return {
    recordDelivery: (request, ctx) => {
      const { sha256, reference, latency } = request;
      const id = decodeId(request.transactionId);
      const caller = callerOf(ctx);
      rejectFaults([textFault("reference", reference), latencyFault(request, caller)]);
      const latencyMs = latency && Math.trunc(durationMs(latency));
      return transact({ kind: "deliver", id, caller, sha256, reference, latencyMs }, ctx);
    },

    flagDispute: ({ transactionId, evidence: brought }, ctx) => {
      const id = decodeId(transactionId);
      const evidence = decodeEvidence(brought);
      return transact({ kind: "dispute", id, caller: callerOf(ctx), evidence, windows }, ctx);
    },

    submitEvidence: ({ transactionId, evidence: brought }, ctx) => {
      const id = decodeId(transactionId);
      const evidence = decodeEvidence(brought);
      return transact({ kind: "evidence", id, caller: callerOf(ctx), evidence }, ctx);
    },

    ruleOnDispute: ({ transactionId, providerShareBps, reason }, ctx) => {
      rejectFaults([textFault("reason", reason)]);
      const id = decodeId(transactionId);
      return transact({ kind: "vote", id, caller: callerOf(ctx), providerShareBps, reason }, ctx);
    },

    async listDisputes({ pageSize: size, pageToken, ...request }, ctx) {
      const { $typeName, $unknown, ...asked } = request;
      const filter = decodeDisputeFilter({ ...request, pageSize: size, pageToken });
      const after = disputeCursor(asked, pageToken);
      const limit = pageSize(size);
      const rows = await store.listDisputes(filter, after, limit + 1, ctx);
      const page = rows.slice(0, limit);
      const last = page.at(-1);
      const more = last !== undefined && page.length < rows.length;
      const cursor = last && [last.flaggedAt.toISOString(), last.transactionId];
      return {
        disputes: page.map(encodeDispute),
        nextPageToken: more && cursor !== undefined ? encodePageToken(asked, cursor) : "",
      };
    },

    resolveDispute: (request, ctx) => resolveDispute(options, request, ctx),
  } satisfies Partial<ServiceImpl<typeof LedgerService>>;
}

/** An agent's own clock proves nothing of when it delivered. */
function latencyFault({ latency }: RecordDeliveryRequest, caller: Caller): Fault | undefined {
  if (latency === undefined || caller.kind !== "agent") return undefined;
  const description = "must be absent: only services measure it";
  return { field: "latency", reason: "SERVICES_ONLY", description };
}

/**
 * Apart from the others, because its memory of the request is written in the same database
 * transaction.
 */
async function resolveDispute(
  { store, tell }: LedgerOptions,
  request: Parameters<ServiceImpl<typeof LedgerService>["resolveDispute"]>[0],
  ctx: HandlerContext,
) {
  rejectFaults([textFault("reason", request.reason)]);
  const schemas = { input: ResolveDisputeRequestSchema, output: ResolveDisputeResponseSchema };
  let happenings: readonly Happening[] = [];
  const response = await store.write((tx, commit) => {
    // Of a try that was rolled back nothing happened, also when the next finds the answer there.
    happenings = [];
    return answerOnce(tx, ctx, schemas, request, async () => {
      const committed = await commit([
        {
          kind: "resolve",
          id: decodeId(request.transactionId),
          caller: callerOf(ctx),
          providerShareBps: request.providerShareBps,
          reason: request.reason,
        },
      ]);
      happenings = committed.happenings;
      return { transaction: encodeTransaction(transactionOf(committed.answers[0])) };
    });
  }, ctx);
  tell(happenings);
  return response;
}
