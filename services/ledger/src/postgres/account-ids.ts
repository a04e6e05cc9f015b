import type { Account, AccountName } from "../account.ts";
import { accountKey } from "../account.ts";

/**
 * Remembers which account a name stands for, so that a payment need not look it up by its text. An
 * account keeps its id for ever, but an owner that is forgotten gives its name away: who locks an
 * account looks whether it still has the name.
 */
export interface AccountIds {
  get(name: AccountName): bigint | undefined;
  /** Remembers accounts that are committed. */
  remember(accounts: Iterable<Account>): void;
  forget(name: AccountName): void;
}

/** Starts with nothing; keeps at most `most` names, those that were remembered last. */
export function createAccountIds(most = 200_000): AccountIds {
  const ids = new Map<string, bigint>();
  return {
    get: (name) => ids.get(accountKey(name)),
    forget: (name) => void ids.delete(accountKey(name)),
    remember(accounts) {
      for (const account of accounts) {
        const key = accountKey(account);
        if (ids.get(key) === account.id) continue;
        ids.set(key, account.id);
      }
      for (const key of ids.keys()) {
        if (ids.size <= most) break;
        ids.delete(key);
      }
    },
  };
}
