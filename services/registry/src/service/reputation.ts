import { createHash } from "node:crypto";
import {
  AdjustReputationRequestSchema,
  AdjustReputationResponseSchema,
  RecordOutcomeRequestSchema,
  type RecordOutcomeResponse,
  RecordOutcomeResponseSchema,
  type RegistryService,
} from "@bourse/proto/bourse/registry/v1/registry_service_pb.ts";
import { formatPrincipal, principalKey } from "@bourse/rpc";
import { Rejection } from "@bourse/rpc/rejection";
import { fromPpm, toPpm } from "@bourse/scoring";
import { answerOnce } from "@bourse/service/mutation";
import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { timestampFromDate } from "@bufbuild/protobuf/wkt";
import type { ServiceImpl } from "@connectrpc/connect";
import { notFound } from "../agent.ts";
import { decodeOutcome, encodeReputation } from "../codec.ts";
import { lineageOf } from "../lineage.ts";
import { adjust, breakerEvents, counts, fold, type Outcome } from "../outcome.ts";
import type { Reason } from "../reasons.ts";
import type { RecordedOutcome } from "../store.ts";
import { changeBreaker } from "./breaker.ts";
import type { Parts } from "./parts.ts";

type Judging = Pick<
  ServiceImpl<typeof RegistryService>,
  "recordOutcome" | "batchGetOutcomes" | "adjustReputation"
>;

/** RecordOutcome and AdjustReputation, which move a reputation, and BatchGetOutcomes. */
export function judging(parts: Parts): Judging {
  const { store, now, tell } = parts;
  const change = changeBreaker(parts);

  /** Outcomes move the breaker too. It is told after the commit, also of a repetition, which it ignores. */
  async function tellBreaker(outcome: Outcome, response: RecordOutcomeResponse): Promise<void> {
    const events = breakerEvents(outcome, {
      beforePpm: toPpm(response.before?.calibration ?? 1),
      afterPpm: toPpm(response.after?.calibration ?? 1),
      leastPpm: parts.calibrationLeastPpm,
    });
    await change(outcome.agentId, outcome.capability, events).catch((error: unknown) =>
      parts.onFault(error, "a breaker could not be told of an outcome"),
    );
  }

  return {
    async recordOutcome(request, ctx) {
      const outcome = decodeOutcome(request);
      const content = createHash("sha256")
        .update(toBinary(RecordOutcomeRequestSchema, request))
        .digest();
      const counted = counts(outcome);
      const { answer, repeated } = await store.write(async (unit) => {
        const at = now();
        const before = (await unit.lockAgents([outcome.agentId])).get(outcome.agentId);
        if (before === undefined) throw notFound(outcome.agentId);
        const record = { reputation: before.reputation, pair: await unit.readPair(outcome) };
        const { reputation, pair } = fold(record, outcome, at);
        const response = create(RecordOutcomeResponseSchema, {
          before: encodeReputation(before.reputation, at),
          after: encodeReputation(reputation, at),
        });
        const answer = toBinary(RecordOutcomeResponseSchema, response);
        const kept = await unit.insertOutcome(outcome, { content, answer, counted, pair, now: at });
        if (kept !== undefined) {
          if (Buffer.compare(kept.content, content) !== 0) throw outcomeReused(outcome.id);
          return { answer: kept.answer, repeated: true };
        }
        if (counted) {
          const version = before.version + 1n;
          const after = { ...before, reputation, version, updatedAt: at };
          await unit.updateAgent(after);
          await unit.rankAgents([after], at);
        }
        return { answer, repeated: false };
      }, ctx);
      if (!repeated) {
        const { id, agentId, success } = outcome;
        if (counted) parts.committed();
        parts.metrics.outcomeRecorded(counted ? (success ? "success" : "failure") : "ignored");
        tell("outcome_recorded", { outcome_id: id, agent_id: agentId, success, counted });
      }
      const response = fromBinary(RecordOutcomeResponseSchema, answer);
      if (counted) await tellBreaker(outcome, response);
      return response;
    },

    async batchGetOutcomes({ outcomeIds }) {
      const known = await store.readOutcomes([...new Set(outcomeIds)]);
      return {
        outcomes: outcomeIds.flatMap((outcomeId) => {
          const outcome = known.get(outcomeId);
          return outcome === undefined ? [] : [encodeRecorded(outcome)];
        }),
      };
    },

    async adjustReputation(request, ctx) {
      const { agentId, reason } = request;
      const deltaPpm = toPpm(request.delta);
      const schemas = {
        input: AdjustReputationRequestSchema,
        output: AdjustReputationResponseSchema,
      };
      let scorePpm: bigint | undefined;
      const response = await store.write(
        (unit) =>
          answerOnce(unit.tx, ctx, schemas, request, async () => {
            const at = now();
            const before = (await unit.lockAgents([agentId])).get(agentId);
            if (before === undefined || before.unregisteredAt !== undefined)
              throw notFound(agentId);
            const reputation = adjust(before.reputation, deltaPpm);
            const version = before.version + 1n;
            const after = { ...before, reputation, version, updatedAt: at };
            scorePpm = reputation.scorePpm;
            await unit.updateAgent(after);
            await unit.rankAgents([after], at);
            const madeBy = formatPrincipal(ctx.values.get(principalKey));
            await unit.insertAdjustment({ agentId, version, deltaPpm, reason, madeBy, madeAt: at });
            const event = lineageOf("reputation_adjusted", after, at, parts.newId(), {
              score_before: fromPpm(before.reputation.scorePpm),
              score_after: fromPpm(reputation.scorePpm),
            });
            await unit.enqueueNew([event], at);
            return { reputation: encodeReputation(reputation, at) };
          }),
        ctx,
      );
      if (scorePpm !== undefined) {
        parts.committed();
        const fields = { agent_id: agentId, delta_ppm: deltaPpm, score_ppm: scorePpm };
        tell("reputation_adjusted", fields);
      }
      return response;
    },
  };
}

function encodeRecorded({ id: outcomeId, endedAt, answer, ...outcome }: RecordedOutcome) {
  const { agentId, success, counted } = outcome;
  const { before, after } = fromBinary(RecordOutcomeResponseSchema, answer);
  const calibration = (counted ? after : before)?.calibration ?? 0;
  return { outcomeId, agentId, success, counted, endTime: timestampFromDate(endedAt), calibration };
}

function outcomeReused(outcomeId: string): Rejection {
  const reason: Reason = "OUTCOME_ID_REUSED";
  return new Rejection(reason, `outcome '${outcomeId}' was recorded before with other content`, {
    metadata: { outcome_id: outcomeId },
  });
}
