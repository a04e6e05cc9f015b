/**
 * What a movement does. HOLD promises an amount, POST pays out of a hold, RELEASE ends what is left
 * of one, TRANSFER pays without a hold.
 */
export type MovementKind = "HOLD" | "POST" | "RELEASE" | "TRANSFER";

/** One immutable line of the books: an amount that leaves one account and enters another. */
export interface Movement {
  /** A UUIDv7. */
  readonly id: string;
  readonly kind: MovementKind;
  /** The id of the account it leaves. */
  readonly debit: bigint;
  /** The id of the account it enters; never the same. */
  readonly credit: bigint;
  /** Micros; more than zero. HOLD and RELEASE move nothing yet. */
  readonly amount: bigint;
  /** The transaction that it belongs to; undefined for a deposit, withdrawal or credit. */
  readonly transactionId: string | undefined;
  /** The deposit, withdrawal or credit that it belongs to; undefined for a transaction. */
  readonly transfer: string | undefined;
  /** The hold that a POST or RELEASE resolves. */
  readonly holdId: string | undefined;
  readonly createdAt: Date;
}

/** A movement as it is shown: with owners in the place of account ids. */
export interface StatementLine {
  readonly id: string;
  readonly kind: MovementKind;
  readonly debitOwner: string;
  readonly creditOwner: string;
  readonly currency: string;
  readonly amount: bigint;
  readonly reference: string;
  readonly holdId: string | undefined;
  readonly createdAt: Date;
}
