import type { Tx } from "@bourse/postgres";
import type { TransactionCursor, TransactionFilter } from "../store.ts";
import { accountIdsOf } from "./accounts.ts";
import { chaptersWithin } from "./chapters.ts";

/** Which transactions of a history are wanted. */
export interface Walk {
  readonly order: "newest first" | "oldest first";
  /** Where the page before ended. */
  readonly after: TransactionCursor | undefined;
  /** The most transactions that are wanted. */
  readonly limit: number;
  /** The most that are looked at, wanted or not: what a page may cost when few match. */
  readonly lookMax: number;
}

/** The transactions that a walk came by. */
export interface Stretch {
  readonly ids: readonly string[];
  /** Where to walk on; undefined when there is nothing more. */
  readonly next: TransactionCursor | undefined;
}

interface KeyRow {
  readonly id: string;
  readonly created_at: Date;
}

/**
 * Walks a history along an index and gives the transactions that pass the filter. No index has
 * capability or state: it stops after `lookMax` transactions, whatever it found.
 */
export async function walkHistory(tx: Tx, filter: TransactionFilter, walk: Walk): Promise<Stretch> {
  const { agent, state, capability, from, until } = filter;
  const { after, limit, lookMax } = walk;
  const accounts = agent === undefined ? [] : await accountIdsOf(tx, agent);
  if (agent !== undefined && accounts.length === 0) return { ids: [], next: undefined };
  const filtered = state !== undefined || capability !== undefined;
  const looked = filtered ? lookMax : limit + 1;
  const path = pathOf(filter.role, walk.order, accounts.length);
  const keys = async (wanted: Partial<TransactionFilter>, most: number, skipped: number) => {
    const { rows } = await tx.query<KeyRow>(
      `select id, created_at from (${path.text}) as walked
       where ($6::transaction_state is null or state = $6)
         and ($7::text is null or capability = $7)
       order by ${path.order}
       limit $8 offset $9`,
      [
        ...[from ?? null, until ?? null, after?.createdAt ?? null, after?.id ?? null, looked],
        ...[wanted.state ?? null, wanted.capability ?? null, most, skipped],
        ...accounts,
      ],
    );
    return rows;
  };
  const found = await keys(filter, limit + 1, 0);
  const page = found.slice(0, limit);
  // The walk ended for want of wanted ones: with the last that it looked at, if there was one.
  const last = found.length > limit ? page.at(-1) : filtered && (await keys({}, 1, looked - 1))[0];
  return {
    ids: page.map(({ id }) => id),
    next: last ? { createdAt: last.created_at, id: last.id } : undefined,
  };
}

/**
 * The way through the index: one branch for each side and account, since each has an index in the
 * order of the list, chapter by chapter, and several together have none. Accounts are parameters from $10 on.
 */
function pathOf(role: TransactionFilter["role"], direction: Walk["order"], accounts: number) {
  const [order, beyond, way] =
    direction === "newest first"
      ? ["created_at desc, id desc", ["<=", "<"], "desc"]
      : ["created_at, id", [">=", ">"], "asc"];
  const chapters =
    direction === "newest first"
      ? chaptersWithin("$1::timestamptz", "least($2::timestamptz, $3::timestamptz)")
      : chaptersWithin("greatest($1::timestamptz, $3::timestamptz)", "$2::timestamptz");
  const numbers = Array.from({ length: accounts }, (_, nth) => nth + 10);
  const among = (which: string) => `
      select id, created_at, state, capability from transactions
      where ${which}
        and ($1::timestamptz is null or created_at >= $1)
        and ($2::timestamptz is null or created_at < $2)
        and ($3::timestamptz is null or created_at ${beyond[0]} $3)
        and ($3::timestamptz is null or (created_at, id) ${beyond[1]} ($3, $4::uuid))
      order by ${order}
      limit $5`;
  const branches =
    accounts === 0
      ? [`(${among("true")})`]
      : (role === undefined ? SIDES : [role]).flatMap((side) =>
          numbers.map(
            (number) => `(
              select t.* from ${chapters} as c
              cross join lateral (
                ${among(`chapter = c.number and ${side}_account = $${number}::bigint`)}
              ) as t
              order by c.number ${way}, ${order}
              limit $5
            )`,
          ),
        );
  const text = `select * from (${branches.join(" union all ")}) as sides
    order by ${order}
    limit $5::bigint`;
  return { text, order };
}

const SIDES = ["payer", "provider"] as const;
