import type { EvidenceSchema } from "@bourse/proto/bourse/registry/v1/evidence_pb.ts";
import { EvidenceStanding, LeaderboardView } from "@bourse/proto/bourse/registry/v1/evidence_pb.ts";
import {
  RecordOutcomeResponseSchema,
  type RegistryService,
} from "@bourse/proto/bourse/registry/v1/registry_service_pb.ts";
import { decodePageToken, encodePageToken, pageSize } from "@bourse/rpc/page";
import { Rejection } from "@bourse/rpc/rejection";
import { fromPpm } from "@bourse/scoring";
import { fromBinary, type MessageInitShape } from "@bufbuild/protobuf";
import { timestampFromDate } from "@bufbuild/protobuf/wkt";
import type { ServiceImpl } from "@connectrpc/connect";
import { notFound } from "../agent.ts";
import { normalizeCapability } from "../capability.ts";
import { encodeReputation } from "../codec.ts";
import { contributionOf } from "../explanation.ts";
import type { Reason } from "../reasons.ts";
import type { View } from "../standing.ts";
import type { ExplainedOutcome, Place } from "../store.ts";
import type { Parts } from "./parts.ts";

type Explaining = Pick<
  ServiceImpl<typeof RegistryService>,
  "explainReputation" | "listLeaderboard"
>;

/** ExplainReputation and ListLeaderboard, which read what was judged. */
export function explaining({ store, now }: Parts): Explaining {
  return {
    async explainReputation(request) {
      const { agentId } = request;
      const capability = normalizeCapability(request.capability);
      const filter = { agentId, capability };
      const after = decodeEvidencePlace(decodePageToken(filter, request.pageToken, 2));
      const agent = (await store.readAgents([agentId])).get(agentId);
      if (agent === undefined) throw notFound(agentId);
      const size = pageSize(request.pageSize);
      const read = await store.listEvidence(filter, after, size + 1);
      const page = read.slice(0, size);
      const last = page.at(-1);
      const isLast = last === undefined || page.length === read.length;
      const adjustments = after === undefined ? await store.listAdjustments(agentId) : [];
      const at = now();
      return {
        reputation: encodeReputation(agent.reputation, at),
        evidence: page.map((outcome) => encodeEvidence(outcome, at)),
        adjustments: adjustments.map(({ deltaPpm, madeAt }) => {
          return { delta: fromPpm(deltaPpm), makeTime: timestampFromDate(madeAt) };
        }),
        nextPageToken: isLast
          ? ""
          : encodePageToken(filter, [String(last.recordedAt.getTime()), last.id]),
      };
    },

    async listLeaderboard(request) {
      const view = VIEWS[request.view] ?? "RELIABILITY";
      const capability = normalizeCapability(request.capability);
      const filter = { view, capability };
      const from = decodeRank(decodePageToken(filter, request.pageToken, 4));
      const size = pageSize(request.pageSize);
      const read = await store.listStandings(filter, from?.place, size + 1);
      const page = read.slice(0, size);
      const last = page.at(-1);
      const isLast = last === undefined || page.length === read.length;
      const ranked = from?.rank ?? 0;
      const at = now();
      return {
        entries: page.map(({ agentId, valuePpm, keyedAt, reputation }, index) => ({
          rank: ranked + index + 1,
          agentId,
          value: fromPpm(valuePpm),
          keyTime: timestampFromDate(keyedAt),
          reputation: encodeReputation(reputation, at),
        })),
        nextPageToken: isLast ? "" : encodePageToken(filter, rankToken(ranked + size, last)),
      };
    },
  };
}

const VIEWS: Partial<Record<LeaderboardView, View>> = {
  [LeaderboardView.RELIABILITY]: "RELIABILITY",
  [LeaderboardView.SCORE]: "SCORE",
  [LeaderboardView.CALIBRATION]: "CALIBRATION",
  [LeaderboardView.MULTIPLIER]: "MULTIPLIER",
};

function encodeEvidence(
  outcome: ExplainedOutcome,
  at: Date,
): MessageInitShape<typeof EvidenceSchema> {
  const { id: outcomeId, requesterId, capability, success, endedAt, answer } = outcome;
  const { standing, effectiveAt, ...weights } = contributionOf(outcome, at);
  const { before, after } = fromBinary(RecordOutcomeResponseSchema, answer);
  const then = outcome.counted ? after : before;
  return {
    outcomeId,
    requesterId,
    capability,
    success,
    endTime: timestampFromDate(endedAt),
    effectiveTime: timestampFromDate(effectiveAt),
    ...weights,
    standing: EvidenceStanding[standing],
    score: then?.score ?? 0,
    calibration: then?.calibration ?? 0,
  };
}

function decodeEvidencePlace(cursor: readonly string[] | undefined) {
  if (cursor === undefined) return undefined;
  const [at = "", id = ""] = cursor;
  if (!/^\d{1,15}$/.test(at) || id.includes("\0")) throw invalidPageToken();
  return { recordedAt: new Date(Number(at)), id };
}

function rankToken(rank: number, { valuePpm, lowerPpm, agentId }: Place): readonly string[] {
  return [String(rank), String(valuePpm), String(lowerPpm), agentId];
}

function decodeRank(cursor: readonly string[] | undefined) {
  if (cursor === undefined) return undefined;
  const [rank = "", value = "", lower = "", agentId = ""] = cursor;
  const isPlace = [rank, value, lower].every((figure) => /^\d{1,9}$/.test(figure));
  if (!isPlace || !/^[A-Za-z0-9_-]{1,64}$/.test(agentId)) throw invalidPageToken();
  const place = { valuePpm: BigInt(value), lowerPpm: BigInt(lower), agentId };
  return { rank: Number(rank), place };
}

function invalidPageToken(): Rejection {
  const reason: Reason = "INVALID_PAGE_TOKEN";
  return new Rejection(reason, "page_token is not one of this list's: start again without one");
}
