import { LineageService } from "@bourse/proto/bourse/ledger/v1/lineage_service_pb.ts";
import { dial } from "@bourse/rpc";
import { BytesValueSchema } from "@bufbuild/protobuf/wkt";
import { budgetId } from "../../support/market.ts";
import { eur, money } from "../../support/money.ts";
import { NO_TRANSACTION, type Row } from "./world.ts";

const INVALID = { code: "InvalidArgument", reason: "INVALID_REQUEST" } as const;
const DENIED = { code: "PermissionDenied", reason: "PERMISSION_DENIED" } as const;
const UNKNOWN = { code: "NotFound", reason: "TRANSACTION_NOT_FOUND" } as const;
const WRONG_STATE = { code: "FailedPrecondition", reason: "INVALID_TRANSACTION_STATE" } as const;

/** What the books must refuse beside transactions, and what the record must. */
export const accountRows: readonly Row[] = [
  {
    title: "disputing what one has no part in",
    call: ({ rival, settled }) => rival.ledger.flagDispute({ transactionId: settled }),
    ...UNKNOWN,
  },
  {
    title: "disputing what was cancelled",
    call: ({ buyer, ended }) => buyer.ledger.flagDispute({ transactionId: ended }),
    ...WRONG_STATE,
  },
  {
    title: "disputing with evidence that says nothing",
    call: ({ buyer, settled }) =>
      buyer.ledger.flagDispute({ transactionId: settled, evidence: [{ note: "" }] }),
    ...INVALID,
    field: "evidence[0].note",
  },
  {
    title: "ruling for more than all",
    call: ({ operator, disputed }) =>
      operator.ledger.resolveDispute({
        transactionId: disputed,
        providerShareBps: 10_001,
        reason: "generous",
      }),
    ...INVALID,
    field: "provider_share_bps",
  },
  {
    title: "ruling on what is not in dispute",
    call: ({ operator, pending }) =>
      operator.ledger.resolveDispute({
        transactionId: pending,
        providerShareBps: 5_000,
        reason: "fair",
      }),
    ...WRONG_STATE,
  },
  {
    title: "ruling on one's own dispute",
    call: ({ worker, disputed }) =>
      worker.ledger.resolveDispute({
        transactionId: disputed,
        providerShareBps: 10_000,
        reason: "mine",
      }),
    ...DENIED,
  },
  {
    title: "getting a transaction that was never there",
    call: ({ buyer }) => buyer.ledger.getTransaction({ transactionId: NO_TRANSACTION }),
    ...UNKNOWN,
  },
  {
    title: "getting a transaction of others",
    call: ({ rival, settled }) => rival.ledger.getTransaction({ transactionId: settled }),
    ...UNKNOWN,
  },
  {
    title: "listing the transactions of another",
    call: ({ rival, buyer }) => rival.ledger.listTransactions({ agentId: buyer.id }),
    ...DENIED,
  },
  {
    title: "listing transactions in a state that does not exist",
    call: ({ operator }) => operator.ledger.listTransactions({ state: 9 as 1 }),
    ...INVALID,
    field: "state",
  },
  {
    title: "listing transactions from a page that never was",
    call: ({ operator }) => operator.ledger.listTransactions({ pageToken: "AAAA" }),
    code: "InvalidArgument",
    reason: "INVALID_PAGE_TOKEN",
    field: "page_token",
  },
  {
    title: "reading the balance of a name that cannot be",
    call: ({ operator }) => operator.ledger.getBalances({ owner: "@nowhere" }),
    ...INVALID,
    field: "owner",
  },
  {
    title: "reading the balance of another",
    call: ({ rival, buyer }) => rival.ledger.getBalances({ owner: buyer.id }),
    ...DENIED,
  },
  {
    title: "depositing less than nothing",
    call: ({ operator, buyer }) =>
      operator.ledger.deposit({ depositId: "d1", owner: buyer.id, amount: eur(-1) }),
    ...INVALID,
    field: "amount",
  },
  {
    title: "depositing without an id",
    call: ({ operator, buyer }) => operator.ledger.deposit({ owner: buyer.id, amount: eur(1) }),
    ...INVALID,
    field: "deposit_id",
  },
  {
    title: "depositing under an id that names the owner",
    call: ({ operator, buyer }) =>
      operator.ledger.deposit({
        depositId: `of-${buyer.id}`,
        owner: buyer.id,
        amount: eur(1),
      }),
    ...INVALID,
    field: "deposit_id",
  },
  {
    title: "depositing another amount under the same id",
    call: ({ operator, buyer }) =>
      operator.ledger.deposit({
        depositId: budgetId(buyer.id),
        owner: buyer.id,
        amount: eur(1_000_000),
      }),
    code: "AlreadyExists",
    reason: "DEPOSIT_ID_REUSED",
  },
  {
    title: "depositing to oneself",
    call: ({ buyer }) =>
      buyer.ledger.deposit({ depositId: "d2", owner: buyer.id, amount: eur(1_000) }),
    ...DENIED,
  },
  {
    title: "withdrawing more than is there",
    call: ({ operator, worker }) =>
      operator.ledger.withdraw({ withdrawalId: "w1", owner: worker.id, amount: eur(500) }),
    code: "FailedPrecondition",
    reason: "INSUFFICIENT_FUNDS",
    leaves: ["ledger.transfers"],
  },
  {
    title: "withdrawing again under the id that was refused",
    call: ({ operator, worker }) =>
      operator.ledger.withdraw({ withdrawalId: "w1", owner: worker.id, amount: eur(500) }),
    code: "FailedPrecondition",
    reason: "WITHDRAWAL_ID_BURNT",
  },
  {
    title: "posting credits as an operator",
    call: ({ operator, worker }) =>
      operator.ledger.postCredits({
        creditId: "c1",
        agentId: worker.id,
        amount: money(1, "CRD"),
        taskId: "t",
      }),
    ...DENIED,
  },
  {
    title: "posting credits in euros",
    call: ({ auctioneer, worker }) =>
      auctioneer.ledger.postCredits({
        creditId: "c1",
        agentId: worker.id,
        amount: eur(1),
        taskId: "t",
      }),
    ...INVALID,
    field: "amount",
  },
  {
    title: "setting a negative credit limit",
    call: ({ operator, buyer }) =>
      operator.ledger.setCreditLimit({ owner: buyer.id, creditLimit: eur(-1) }),
    ...INVALID,
    field: "credit_limit",
  },
  {
    title: "telling the record nothing",
    call: ({ auctioneer }) => auctioneer.lineage.appendEvents({ events: [] }),
    ...INVALID,
    field: "events",
  },
  {
    title: "telling the record of an event of a type in capitals",
    call: ({ auctioneer }) =>
      auctioneer.lineage.appendEvents({
        events: [{ eventId: "e1", type: "Loud", eventTime: { seconds: 1_800_000_000n } }],
      }),
    ...INVALID,
    field: "events[0].type",
  },
  {
    title: "telling the record something else under the id of an event",
    call: async ({ auctioneer, auditor, open }) => {
      const { events } = await auditor.lineage.queryEvents({ taskId: open.taskId });
      const eventId = events[0]?.eventId ?? "";
      const time = { seconds: 1_800_000_000n };
      return auctioneer.lineage.appendEvents({
        events: [{ eventId, type: "something_else", eventTime: time }],
      });
    },
    code: "AlreadyExists",
    reason: "EVENT_ID_REUSED",
  },
  {
    title: "telling the record in bytes that are no message",
    call: async ({ market }) => {
      const { appendEvents } = LineageService.method;
      const token = await market.market.signer.mint("service:auction", 60);
      await using channel = dial({ address: market.market.address("ledger"), token: () => token });
      const garbled = { ...appendEvents, input: BytesValueSchema };
      const value = Uint8Array.of(0x0a, 0xff);
      return await channel.unary(garbled, undefined, undefined, undefined, { value });
    },
    ...INVALID,
  },
  {
    title: "telling the record as an operator",
    call: ({ operator }) =>
      operator.lineage.appendEvents({
        events: [{ eventId: "e1", type: "made_up", eventTime: { seconds: 1n } }],
      }),
    ...DENIED,
  },
];
