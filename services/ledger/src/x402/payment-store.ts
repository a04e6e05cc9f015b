import { available } from "../account.ts";
import type { LedgerStore } from "../store.ts";
import type { PaymentStore } from "./payments.ts";

/** Reads payments from the books. */
export function paymentStore(
  books: Pick<LedgerStore, "findTransaction" | "isBurnt" | "balances">,
): PaymentStore {
  return {
    async find(id, { owner, currency }) {
      const [found, burnt, { accounts }] = await Promise.all([
        books.findTransaction(id, {}),
        books.isBurnt(id, {}),
        books.balances(owner, { holdsMax: 0 }),
      ]);
      const account = accounts.find((each) => each.currency === currency);
      return {
        transaction: found?.transaction,
        movements: found?.movements ?? [],
        burnt,
        // A frozen account has money that it cannot spend.
        available: account?.status === "OPEN" ? available(account) : 0n,
      };
    },
  };
}
