import type { Tx } from "@bourse/postgres";
import { available } from "../account.ts";
import type { PaymentStore } from "../x402/payments.ts";
import { accountsOfOwner } from "./accounts.ts";
import { movementsOf } from "./movements.ts";

/**
 * Reads payments. Each read is of its own instant: they only advise, and what is paid is decided
 * under lock.
 */
export function createPaymentStore(database: Tx): PaymentStore {
  return {
    async standing(id, { owner, currency }) {
      const [{ rows }, accounts] = await Promise.all([
        database.query<{ readonly recorded: boolean; readonly burnt: boolean }>(
          `select exists (select from transactions where id = $1) as recorded,
             exists (select from burnt_transactions where id = $1) as burnt`,
          [id],
        ),
        accountsOfOwner(database, owner),
      ]);
      const account = accounts.find((each) => each.currency === currency);
      return {
        recorded: rows[0]?.recorded === true,
        burnt: rows[0]?.burnt === true,
        // A frozen account has money that it cannot spend.
        available: account?.status === "OPEN" ? available(account) : 0n,
      };
    },

    async wasPaid(id, payer, micros) {
      const movements = await movementsOf(database, id);
      return movements.some(
        ({ kind, debitOwner, amount }) =>
          kind === "POST" && debitOwner === payer && amount === micros,
      );
    },
  };
}
