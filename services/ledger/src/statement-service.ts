import type { LedgerService } from "@bourse/proto/bourse/ledger/v1/ledger_service_pb.ts";
import { encodePageToken } from "@bourse/rpc/page";
import type { ServiceImpl } from "@connectrpc/connect";
import { decodeFilter, encodeMovement, encodeTransaction } from "./codec.ts";
import { historyCursor } from "./page.ts";
import type { LedgerOptions } from "./service.ts";

/** Serves what people and other systems read of the books. */
export function statements({ statements: store }: Pick<LedgerOptions, "statements">) {
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
  } satisfies Partial<ServiceImpl<typeof LedgerService>>;
}
