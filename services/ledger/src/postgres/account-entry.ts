import { type Account, committed } from "../account.ts";

/** An account as it was read or written, and the stamp that its row had then. */
export interface StampedAccount {
  readonly account: Account;
  readonly stamp: bigint;
}

/** An account that a decision looked at. */
export interface LookedAccount {
  /** Its id as a number, to sort by. */
  readonly place: number;
  /** What it is after the decision. */
  readonly draft: Account;
  /** The stamp that it had before. */
  readonly stamp: bigint;
}

/** An account in memory; it changes in place, for it is looked at several times in each payment. */
export interface Entry extends LookedAccount {
  /** Nobody else's, and changes in place too: new ones would be copied by two collections before they are garbage. */
  readonly account: { -readonly [K in keyof Account]: Account[K] };
  draft: Account;
  stamp: bigint;
  /** The list of the last decision that looked at it, whose draft it bears. */
  noted: readonly Entry[] | undefined;
  /**
   * What that does with it. Being promised something, or paying what it has promised, changes nothing of its row, nor
   * does it matter how that is, but for whether it is closed.
   */
  part: "looked at" | "promised" | "changed";
}

/** Begins to remember an account. */
export function entryOf({ account, stamp }: StampedAccount): Entry {
  const own = { ...account };
  return {
    ...{ account: own, draft: own, stamp, place: Number(own.id) },
    ...{ noted: undefined, part: "looked at" },
  };
}

/** Makes an account what its draft is. Written out: by `Object.assign` it takes as long as the garbage did. */
export function takeIn(entry: Entry): void {
  const { account, draft } = entry;
  if (draft === account) return;
  account.debitsPosted = draft.debitsPosted;
  account.creditsPosted = draft.creditsPosted;
  account.debitsHeld = draft.debitsHeld;
  account.creditsHeld = draft.creditsHeld;
  account.creditLimit = draft.creditLimit;
  account.owed = draft.owed;
  account.status = draft.status;
  entry.draft = account;
}

/** Whether a decision goes by the row of an account that it looked at, and writes it. */
export function isWritten({ part }: Entry): boolean {
  return part !== "promised";
}

/** Whether both have the same amounts in the row of an account, where payments change nothing else. */
export function isSameRow(one: Account, other: Account): boolean {
  return one.creditsPosted === other.creditsPosted && committed(one) === committed(other);
}
