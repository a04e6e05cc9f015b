import type { Rejection } from "@bourse/rpc/rejection";
import { type Account, isEmpty } from "./account.ts";
import {
  answeredAccount,
  type Books,
  type Decision,
  present,
  refused,
  type Stamp,
} from "./books.ts";
import type { StatusCommand } from "./command.ts";
import { refuse } from "./refusal.ts";

/**
 * Opens, freezes or closes an account. Refuses with ACCOUNT_NOT_EMPTY what is to be closed while
 * money, holds or debts are there.
 */
export function setStatus(
  books: Books,
  { owner, currency, status }: StatusCommand,
  stamp: Stamp,
): Decision {
  const found = present(books.account({ owner, currency }));
  if (found.status === status) return answeredAccount(found);
  if (status === "CLOSED" && !isEmpty(found)) {
    const message = `the account of ${owner} in ${currency} is not empty`;
    return refused(refuse("ACCOUNT_NOT_EMPTY", message, { metadata: { owner, currency } }));
  }
  const account = { ...found, status };
  return answeredAccount(account, {
    accounts: [account],
    happenings: [{ kind: "account_status_set", id: stamp.newId(), account }],
  });
}

/** The refusal to pay from or receive into an account of this status, or undefined. */
export function unusableFor(
  use: "pay" | "receive",
  account: Account | undefined,
): Rejection | undefined {
  if (account === undefined || account.status === "OPEN") return undefined;
  if (account.status === "FROZEN" && use === "receive") return undefined;
  const { owner, currency, status } = account;
  const reason = status === "CLOSED" ? "ACCOUNT_CLOSED" : "ACCOUNT_FROZEN";
  const message = `the account of ${owner} in ${currency} is ${status.toLowerCase()}`;
  return refuse(reason, message, { metadata: { owner, currency } });
}
