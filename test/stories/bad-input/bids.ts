import { eur, money } from "../../support/money.ts";
import { type BidTermsInit, terms } from "../../support/task.ts";
import { minutes, seconds } from "../../support/time.ts";
import { NO_TASK, type Row, type World } from "./world.ts";

const INVALID = { code: "InvalidArgument", reason: "INVALID_REQUEST" } as const;
const BROKEN = { code: "FailedPrecondition" } as const;

/** The last refused bid of an agent is kept for ExplainAward, and the first is told to the lineage. */
const REFUSED_BID = [
  "auction.refusals",
  "auction.outbox",
  "ledger.lineage_events",
  "ledger.batches",
  "ledger.journal_head",
  "ledger.pseudonyms",
];

interface BidRow extends Pick<Row, "code" | "reason"> {
  readonly field?: string;
  readonly by?: "worker" | "rival" | "resting" | "busy" | "stranger" | "buyer";
  readonly on?: "open" | "awarded" | "cancelled";
  readonly wish?: Partial<BidTermsInit>;
}

/** A bid that would be taken but for what is said; one that breaks a rule of the auction is noted. */
function bidding(what: string, { by = "rival", on = "open", wish, ...refused }: BidRow): Row {
  return {
    title: `bidding ${what}`,
    call: (world: World) =>
      world[by].auction.submitBid({
        taskId: world[on].taskId,
        agentId: world[by].id,
        terms: terms(wish),
      }),
    ...refused,
    ...(refused.reason !== "INVALID_REQUEST" && { leaves: REFUSED_BID }),
  };
}

/** What the auction must refuse as a bid. */
export const bidRows: readonly Row[] = [
  {
    title: "bidding on a task that was never there",
    call: ({ rival }) =>
      rival.auction.submitBid({ taskId: NO_TASK, agentId: rival.id, terms: terms() }),
    code: "NotFound",
    reason: "TASK_NOT_FOUND",
  },
  {
    title: "bidding without terms",
    call: ({ rival, open }) => rival.auction.submitBid({ taskId: open.taskId, agentId: rival.id }),
    ...INVALID,
    field: "terms",
  },
  bidding("a success rate that is no number", {
    ...INVALID,
    field: "terms.success_rate",
    wish: { successRate: Number.NaN },
  }),
  bidding("a success rate above one", {
    ...INVALID,
    field: "terms.success_rate",
    wish: { successRate: 2 },
  }),
  bidding("more than there is", {
    ...INVALID,
    field: "terms.price.micros",
    wish: { price: { micros: 2n ** 62n, currencyCode: "EUR" } },
  }),
  bidding("nothing", {
    code: "InvalidArgument",
    reason: "PRICE_NOT_POSITIVE",
    field: "terms.price",
    wish: { price: eur(0) },
  }),
  bidding("less than nothing", {
    code: "InvalidArgument",
    reason: "PRICE_NOT_POSITIVE",
    field: "terms.price",
    wish: { price: eur(-2) },
  }),
  bidding("too much", {
    ...BROKEN,
    reason: "COST_EXCEEDS_MAX",
    field: "terms.price",
    wish: { price: eur(2.51) },
  }),
  bidding("in a foreign currency", {
    ...BROKEN,
    reason: "CURRENCY_MISMATCH",
    field: "terms.price.currency_code",
    wish: { price: money(2, "USD") },
  }),
  bidding("no time", {
    code: "InvalidArgument",
    reason: "LATENCY_NOT_POSITIVE",
    field: "terms.latency",
    wish: { latency: seconds(0) },
  }),
  bidding("too long a time", {
    ...BROKEN,
    reason: "LATENCY_EXCEEDS_MAX",
    field: "terms.latency",
    wish: { latency: minutes(31) },
  }),
  bidding("too low a success rate", {
    ...BROKEN,
    reason: "SUCCESS_RATE_BELOW_MIN",
    field: "terms.success_rate",
    wish: { successRate: 0.5 },
  }),
  bidding("on one's own task", { ...BROKEN, reason: "AGENT_NOT_REGISTERED", by: "buyer" }),
  bidding("without being registered", {
    ...BROKEN,
    reason: "AGENT_NOT_REGISTERED",
    field: "agent_id",
    by: "stranger",
  }),
  bidding("while in maintenance", {
    ...BROKEN,
    reason: "AGENT_NOT_AVAILABLE",
    field: "agent_id",
    by: "resting",
  }),
  bidding("twice", { code: "AlreadyExists", reason: "ALREADY_BID", by: "worker" }),
  bidding("with hands full", {
    code: "ResourceExhausted",
    reason: "CAPACITY_EXHAUSTED",
    by: "busy",
  }),
  bidding("on a task that is awarded", { ...BROKEN, reason: "TASK_NOT_OPEN", on: "awarded" }),
  bidding("on a task that was called off", { ...BROKEN, reason: "TASK_NOT_OPEN", on: "cancelled" }),
  {
    title: "bidding as another agent",
    call: ({ rival, worker, open }) =>
      rival.auction.submitBid({ taskId: open.taskId, agentId: worker.id, terms: terms() }),
    code: "PermissionDenied",
    reason: "PERMISSION_DENIED",
  },
];
