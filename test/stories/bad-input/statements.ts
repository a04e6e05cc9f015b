import { PartyRole } from "@bourse/proto/bourse/ledger/v1/ledger_service_pb.ts";
import type { Row } from "./world.ts";

const INVALID = { code: "InvalidArgument", reason: "INVALID_REQUEST" } as const;
const DENIED = { code: "PermissionDenied", reason: "PERMISSION_DENIED" } as const;

/** What the statements of the books must refuse. */
export const statementRows: readonly Row[] = [
  {
    title: "exporting the history of another",
    call: ({ rival, buyer }) => drained(rival.ledger.exportHistory({ agentId: buyer.id })),
    ...DENIED,
  },
  {
    title: "exporting all history as an agent",
    call: ({ rival }) => drained(rival.ledger.exportHistory({})),
    ...DENIED,
  },
  {
    title: "exporting from where no export ever was",
    call: ({ operator }) => drained(operator.ledger.exportHistory({ resumeToken: "AAAA" })),
    code: "InvalidArgument",
    reason: "INVALID_RESUME_TOKEN",
    field: "resume_token",
  },
  {
    title: "watching the transactions of another",
    call: ({ rival, buyer }) => drained(rival.ledger.watchTransactions({ agentId: buyer.id })),
    ...DENIED,
  },
  {
    title: "watching in a state that does not exist",
    call: ({ operator }) => drained(operator.ledger.watchTransactions({ states: [9 as 1] })),
    ...INVALID,
    field: "states[0]",
  },
  {
    title: "watching on from a batch that was never written",
    call: ({ operator }) =>
      drained(operator.ledger.watchTransactions({ resumeToken: "1-0123456789abcdef" })),
    code: "InvalidArgument",
    reason: "INVALID_RESUME_TOKEN",
    field: "resume_token",
  },
  {
    title: "listing one side of no agent",
    call: ({ operator }) => operator.ledger.listTransactions({ role: PartyRole.PAYER }),
    ...INVALID,
  },
  {
    title: "summing up the transactions of another",
    call: ({ rival, buyer }) =>
      rival.ledger.summarizeTransactions({ agentId: buyer.id, role: PartyRole.PAYER }),
    ...DENIED,
  },
  {
    title: "summing up all transactions as an agent",
    call: ({ rival }) => rival.ledger.summarizeTransactions({}),
    ...DENIED,
  },
  {
    title: "summing up the transactions of an agent on no side",
    call: ({ operator }) => operator.ledger.summarizeTransactions({ agentId: "x" }),
    ...INVALID,
  },
  {
    title: "summing up by the days of a planet",
    call: ({ operator }) => operator.ledger.summarizeTransactions({ timeZone: "Mars/Olympus" }),
    ...INVALID,
    field: "time_zone",
  },
  {
    title: "summing up more than a year",
    call: ({ operator }) =>
      operator.ledger.summarizeTransactions({ startTime: { seconds: 0n, nanos: 0 } }),
    ...INVALID,
    field: "end_time",
  },
  {
    title: "summing up from a page that never was",
    call: ({ operator }) => operator.ledger.summarizeTransactions({ pageToken: "AAAA" }),
    code: "InvalidArgument",
    reason: "INVALID_PAGE_TOKEN",
    field: "page_token",
  },
  {
    title: "listing the deposits of another",
    call: ({ rival, buyer }) => rival.ledger.listTransfers({ owner: buyer.id }),
    ...DENIED,
  },
  {
    title: "listing transfers of a kind that does not exist",
    call: ({ operator }) => operator.ledger.listTransfers({ kind: 9 as 1 }),
    ...INVALID,
    field: "kind",
  },
  {
    title: "listing transfers from a page that never was",
    call: ({ operator }) => operator.ledger.listTransfers({ pageToken: "AAAA" }),
    code: "InvalidArgument",
    reason: "INVALID_PAGE_TOKEN",
    field: "page_token",
  },
  {
    title: "reading outcomes as an agent",
    call: ({ rival }) => rival.registry.batchGetOutcomes({ outcomeIds: ["x"] }),
    ...DENIED,
  },
  {
    title: "reading no outcomes",
    call: ({ operator }) => operator.registry.batchGetOutcomes({ outcomeIds: [] }),
    ...INVALID,
    field: "outcome_ids",
  },
];

async function drained(stream: AsyncIterable<unknown>): Promise<void> {
  for await (const _ of stream);
}
