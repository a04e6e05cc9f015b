import { randomUUIDv7 } from "node:crypto";
import { type Account, ISSUER, WORLD } from "../src/account.ts";
import { type Answer, type Draft, openDraft, type Stamp, type Transfer } from "../src/books.ts";
import { type Command, play } from "../src/command.ts";
import type { Terms } from "../src/transaction.ts";

/** The instant and the ids of what is decided without a database. */
export const STAMP: Stamp = {
  now: new Date("2026-11-21T10:00:00Z"),
  newId: () => randomUUIDv7(),
};

/**
 * Books in memory, without a database, in which `ann` has 1,000 micros of EUR and `bob`, `carl` and
 * `@issuer` nothing, but for what is given by owner, and nothing else has happened.
 */
export function aDraft(
  given: {
    readonly accounts?: Readonly<Record<string, Partial<Account>>>;
    readonly burnt?: readonly Terms[];
    readonly transfers?: readonly Transfer[];
  } = {},
): Draft {
  const owners: Readonly<Record<string, Partial<Account>>> = {
    ann: { creditsPosted: 1_000n },
    bob: {},
    carl: {},
    [WORLD]: { debitsPosted: 1_000n },
    [ISSUER]: {},
    ...given.accounts,
  };
  return openDraft({
    accounts: Object.entries(owners).map(([owner, fields], nth) => ({
      id: BigInt(nth + 1),
      owner,
      currency: "EUR",
      debitsPosted: 0n,
      creditsPosted: 0n,
      debitsHeld: 0n,
      creditsHeld: 0n,
      creditLimit: 0n,
      owed: 0n,
      status: "OPEN",
      createdAt: STAMP.now,
      ...fields,
    })),
    transactions: [],
    burnt: given.burnt ?? [],
    transfers: given.transfers ?? [],
  });
}

/** The draft after these commands. */
export function after(draft: Draft, ...commands: readonly Command[]): Draft {
  play(draft, commands, STAMP);
  return draft;
}

/** What the last of these commands is answered with. */
export function lastAnswer(draft: Draft, ...commands: readonly Command[]): Answer | undefined {
  return play(draft, commands, STAMP).at(-1);
}
