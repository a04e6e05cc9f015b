import type { LedgerService } from "@bourse/proto/bourse/ledger/v1/ledger_service_pb.ts";
import { encodePageToken, pageSize } from "@bourse/rpc/page";
import { timestampFromDate } from "@bufbuild/protobuf/wkt";
import type { ServiceImpl } from "@connectrpc/connect";
import {
  decodeFilter,
  decodeRole,
  decodeStates,
  encodeMovement,
  encodeTransaction,
} from "./codec.ts";
import { historyCursor, summaryCursor, transferCursor } from "./page.ts";
import type { LedgerOptions } from "./service.ts";
import type { TransactionFilter } from "./store.ts";
import { decodeSummaryQuery, encodeSummary } from "./summary-codec.ts";
import type { Transaction } from "./transaction.ts";
import { decodeTransferFilter, encodeTransfer } from "./transfer-codec.ts";
import { watchJournal } from "./watch.ts";

/** How soon watchers hear of what was committed. */
const POLL_MS = 100;
/** Silence after which a watcher hears that nothing happened. */
const IDLE_MS = 15_000;

/** Serves what people and other systems read of the books. */
export function statements({ statements: store, now }: Pick<LedgerOptions, "statements" | "now">) {
  const journal = watchJournal(store, { pollMs: POLL_MS });

  /** Before when a history ends that is read from now on; undefined when there is none. */
  async function endOf(until: Date | undefined, query: { readonly signal: AbortSignal }) {
    const newest = await store.newest(query);
    if (newest === undefined) return undefined;
    const end = newest.getTime() + 1;
    return new Date(Math.min(end, until?.getTime() ?? end));
  }

  return {
    async *exportHistory({ resumeToken, ...request }, ctx) {
      const { $typeName, $unknown, ...asked } = request;
      const filter = decodeFilter(asked);
      const resumed = historyCursor(asked, resumeToken);
      const until = resumed?.until ?? (await endOf(filter.until, ctx));
      if (until === undefined) return;
      let after = resumed?.after;
      do {
        const page = await store.history({ ...filter, until }, after, ctx);
        for (const { transaction, movements } of page.entries) {
          const { createdAt, id } = transaction;
          yield {
            transaction: encodeTransaction(transaction),
            movements: movements.map(encodeMovement),
            resumeToken: encodePageToken(asked, [until.toISOString(), createdAt.toISOString(), id]),
          };
        }
        after = page.next;
      } while (after !== undefined);
    },

    async listTransfers({ pageSize: size, pageToken, ...request }, ctx) {
      const { $typeName, $unknown, ...asked } = request;
      const after = transferCursor(asked, pageToken);
      const limit = pageSize(size);
      const found = await store.transfers(decodeTransferFilter(asked), after, limit + 1, ctx);
      const page = found.slice(0, limit);
      const last = found.length > limit ? page.at(-1) : undefined;
      const cursor = last && [last.createdAt.toISOString(), last.kind, last.id];
      return {
        transfers: page.map(encodeTransfer),
        nextPageToken: cursor ? encodePageToken(asked, cursor) : "",
      };
    },

    async summarizeTransactions({ pageSize: size, pageToken, ...request }, ctx) {
      const { $typeName, $unknown, ...asked } = request;
      const after = summaryCursor(asked, pageToken);
      const query = decodeSummaryQuery(asked, after, now());
      const limit = pageSize(size, 100);
      const found = await store.summarize(query, after, limit + 1, ctx);
      const page = found.slice(0, limit);
      const last = found.length > limit ? page.at(-1) : undefined;
      const range = [query.from.toISOString(), query.until.toISOString()];
      return {
        summaries: page.map(encodeSummary),
        nextPageToken: last ? encodePageToken(asked, [...range, last.key, last.currency]) : "",
        startTime: timestampFromDate(query.from),
        endTime: timestampFromDate(query.until),
      };
    },

    async *watchTransactions({ resumeToken: token, agentId, role, states }, ctx) {
      const { signal } = ctx;
      const wants = wanting(agentId, decodeRole(role), decodeStates(states));
      for await (const event of journal.watch({ token, wants, idleMs: IDLE_MS, signal })) {
        const { token: resumeToken } = event;
        if (event.kind === "idle") {
          yield { event: { case: "idle", value: true }, resumeToken };
        } else {
          const value = { ...encodeTransaction(event.transaction), evidence: [] };
          yield { event: { case: "transaction", value }, resumeToken };
        }
      }
    },
  } satisfies Partial<ServiceImpl<typeof LedgerService>>;
}

/** Whether a watcher wants to hear of a transaction as it stands now. */
function wanting(
  agent: string,
  role: TransactionFilter["role"],
  states: readonly Transaction["state"][],
): (transaction: Transaction) => boolean {
  const sides = role === undefined ? (["payer", "provider"] as const) : [role];
  return (transaction) =>
    (agent === "" || sides.some((side) => transaction[side] === agent)) &&
    (states.length === 0 || states.includes(transaction.state));
}
