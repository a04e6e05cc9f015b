import type { Feed } from "@bourse/postgres/feed";
import { type Principal, principalKey } from "@bourse/rpc";
import type { HandlerContext } from "@connectrpc/connect";
import type { AgentBook } from "../agent-book.ts";
import type { Awarder } from "../awarder.ts";
import type { Eraser } from "../erasure.ts";
import type { Journal } from "../journal.ts";
import type { Mover } from "../mover.ts";
import type { AuctionStore, ReadChanges } from "../store.ts";

/** What the handlers are made of. */
export interface Parts {
  readonly store: AuctionStore;
  readonly eraser: Eraser;
  readonly mover: Mover;
  readonly award: Awarder;
  readonly book: AgentBook;
  readonly journal: Journal;
  readonly feed: Pick<Feed, "follow">;
  readonly readChanges: ReadChanges;
  readonly now: () => Date;
  /** A UUID that sorts by time. */
  readonly newId: () => string;
  /** Eight random hex digits. */
  readonly newSuffix: () => string;
  /** How long a watcher hears nothing before it is told so. */
  readonly idleMs: number;
}

/** Who calls. */
export function callerOf(ctx: HandlerContext): Principal {
  return ctx.values.get(principalKey);
}
