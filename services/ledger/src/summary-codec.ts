import {
  type SummarizeTransactionsRequest,
  SummaryKey,
  type TransactionSummary,
  TransactionSummarySchema,
} from "@bourse/proto/bourse/ledger/v1/ledger_service_pb.ts";
import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { durationFromMs } from "@bufbuild/protobuf/wkt";
import { decodeRole, encodeState } from "./codec.ts";
import { daysOf, isTimeZone } from "./day.ts";
import { rejectFaults, textFault } from "./limit.ts";
import type { Summary, SummaryQuery } from "./summary.ts";
import { decodeTime } from "./time.ts";

const DAY_MS = 24 * 3_600_000;
const RANGE_DAYS = 30;
const RANGE_DAYS_MAX = 366;

const KEYS = new Map<SummaryKey, SummaryQuery["key"]>([
  [SummaryKey.PROVIDER, "provider"],
  [SummaryKey.PAYER, "payer"],
  [SummaryKey.CAPABILITY, "capability"],
  [SummaryKey.DAY, "day"],
]);

/**
 * What to sum up, for the range of the page before (`given`) or that asked for.
 * @throws Rejection INVALID_REQUEST
 */
export function decodeSummaryQuery(
  request: Omit<SummarizeTransactionsRequest, "$typeName" | "$unknown" | "pageSize" | "pageToken">,
  given: Pick<SummaryQuery, "from" | "until"> | undefined,
  now: Date,
): SummaryQuery {
  const { agentId: agent, capability, timeZone } = request;
  const zone = timeZone === "" ? "UTC" : timeZone;
  const { from, until } = given ?? rangeOf(request, now);
  rejectFaults([textFault("capability", capability), zoneFault(zone), rangeFault(from, until)]);
  const key = KEYS.get(request.key) ?? "all";
  const role = decodeRole(request.role);
  return {
    key,
    party: role === undefined ? undefined : { agent, role },
    capability: capability === "" ? undefined : capability,
    from,
    until,
    days: key === "day" ? daysOf(from, until, zone) : [],
  };
}

function rangeOf(
  { startTime, endTime }: Pick<SummarizeTransactionsRequest, "startTime" | "endTime">,
  now: Date,
) {
  const until = decodeTime("end_time", endTime) ?? now;
  const from = decodeTime("start_time", startTime);
  return { until, from: from ?? new Date(until.getTime() - RANGE_DAYS * DAY_MS) };
}

function zoneFault(zone: string) {
  if (isTimeZone(zone)) return undefined;
  const description = "must be the name of a time zone, such as Europe/Berlin";
  return { field: "time_zone", reason: "UNKNOWN_TIME_ZONE", description };
}

function rangeFault(from: Date, until: Date) {
  const rangeMs = until.getTime() - from.getTime();
  if (rangeMs > 0 && rangeMs <= RANGE_DAYS_MAX * DAY_MS) return undefined;
  const description = `must be after start_time, and at most ${RANGE_DAYS_MAX} days`;
  return { field: "end_time", reason: "TIME_RANGE", description };
}

/** Sums as callers see them. */
export function encodeSummary(summary: Summary): TransactionSummary {
  const { key, currency, states, revenue, meanSettleMs, disputesOpened, disputesOpen } = summary;
  const init: MessageInitShape<typeof TransactionSummarySchema> = {
    key,
    currencyCode: currency,
    states: states.map(({ state, transactions, amount }) => ({
      state: encodeState(state),
      transactions,
      amountMicros: String(amount),
    })),
    revenueMicros: String(revenue),
    disputesOpened,
    disputesOpen,
  };
  if (meanSettleMs !== undefined) init.meanSettleTime = durationFromMs(Math.round(meanSettleMs));
  return create(TransactionSummarySchema, init);
}
