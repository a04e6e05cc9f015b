import type { Tx } from "@bourse/postgres";
import type { BooksReport, Divergence } from "../store.ts";

// Each check is one statement that returns rows of subject, expected and found.
const CHECKS: Readonly<Record<string, string>> = {
  SUM_NOT_ZERO: `
    select currency as subject, '0' as expected, sum(posted)::text as found
    from accounts group by currency having sum(posted) <> 0`,

  BALANCE_NOT_FOLD: `
    with moved as (
      select account, sum(amount) as amount
      from (
        select credit_account as account, amount
        from movements where kind in ('POST', 'TRANSFER')
        union all
        select debit_account, -amount from movements where kind in ('POST', 'TRANSFER')
      ) as legs
      group by account
    )
    select owner || ' ' || currency as subject, coalesce(moved.amount, 0)::text as expected,
      posted::text as found
    from accounts left join moved on moved.account = accounts.id
    where posted <> coalesce(moved.amount, 0)`,

  HELD_NOT_OPEN_HOLDS: `
    with promised as (
      select debit_account as account,
        sum(case kind when 'HOLD' then amount else -amount end) as amount
      from movements where kind <> 'TRANSFER'
      group by debit_account
    )
    select owner || ' ' || currency as subject, coalesce(promised.amount, 0)::text as expected,
      held::text as found
    from accounts left join promised on promised.account = accounts.id
    where held <> coalesce(promised.amount, 0)`,

  // More than was held was paid or released.
  HOLD_RESOLVED_TWICE: `
    select hold.id::text as subject, hold.amount::text as expected, sum(part.amount)::text as found
    from movements hold join movements part on part.hold_id = hold.id
    where hold.kind = 'HOLD'
    group by hold.id, hold.amount
    having sum(part.amount) > hold.amount
      or count(*) filter (where part.kind = 'POST') > 1
      or count(*) filter (where part.kind = 'RELEASE') > 1`,

  // A hold ends as a whole: what is not paid is released at once.
  HOLD_RESOLVED_IN_PART: `
    select hold.id::text as subject, hold.amount::text as expected, sum(part.amount)::text as found
    from movements hold join movements part on part.hold_id = hold.id
    where hold.kind = 'HOLD'
    group by hold.id, hold.amount
    having sum(part.amount) < hold.amount`,

  // A POST or RELEASE whose hold is missing, is none, or is between other accounts.
  HOLD_MISSING: `
    select part.id::text as subject, part.hold_id::text as expected,
      coalesce(hold.kind::text, 'none') as found
    from movements part left join movements hold on hold.id = part.hold_id
    where part.hold_id is not null
      and (hold.id is null or hold.kind <> 'HOLD'
        or hold.debit_account <> part.debit_account or hold.credit_account <> part.credit_account)`,

  // A movement between accounts that are not there or of different currencies.
  MOVEMENT_MISDIRECTED: `
    select m.id::text as subject, coalesce(debit.currency, 'an account') as expected,
      coalesce(credit.currency, 'none') as found
    from movements m
    left join accounts debit on debit.id = m.debit_account
    left join accounts credit on credit.id = m.credit_account
    where debit.currency is distinct from credit.currency or debit.id is null`,

  // What a transaction says was paid is what its movements paid from the payer to the provider.
  TRANSACTION_NOT_FOLD: `
    with paid as (
      select t.id, sum(case debit.owner when t.payer then m.amount
        else -m.amount end) as amount
      from movements m
      join accounts debit on debit.id = m.debit_account
      join transactions t on t.id::text = m.reference
      where m.kind = 'POST'
      group by t.id
    )
    select t.id::text as subject,
      (t.owed + case t.state when 'CANCELLED' then 0 else t.settled end)::text as expected,
      coalesce(paid.amount, 0)::text as found
    from transactions t left join paid on paid.id = t.id
    where t.settled + t.owed <> coalesce(paid.amount, 0)
      or (t.state = 'CANCELLED' and t.settled <> 0)`,

  // A promise or payment that belongs to no transaction, or is not between its two parties.
  TRANSACTION_PARTY_MISMATCH: `
    select m.id::text as subject,
      coalesce(t.payer || ' ' || t.provider || ' ' || t.currency, 'a transaction') as expected,
      debit.owner || ' ' || credit.owner || ' ' || debit.currency as found
    from movements m
    join accounts debit on debit.id = m.debit_account
    join accounts credit on credit.id = m.credit_account
    left join transactions t on t.id::text = m.reference
    where m.kind <> 'TRANSFER'
      and (t.id is null or t.currency <> debit.currency
        or (t.payer, t.provider)
          not in ((debit.owner, credit.owner), (credit.owner, debit.owner)))`,

  // Each deposit, withdrawal and credit that was done moved its money once, and nothing else did.
  TRANSFER_MISMATCH: `
    with outside as (
      select *, case kind when 'CREDIT' then '@issuer' else '@world' end as source,
        kind = 'WITHDRAWAL' or amount < 0 as outward
      from transfers where not burnt
    ),
    told as (
      select id as reference, case when outward then owner else source end as debit,
        case when outward then source else owner end as credit, currency, abs(amount) as amount,
        count(*) as times
      from outside group by 1, 2, 3, 4, 5
    ),
    moved as (
      select m.reference, debit.owner as debit, credit.owner as credit, debit.currency, m.amount,
        count(*) as times
      from movements m
      join accounts debit on debit.id = m.debit_account
      join accounts credit on credit.id = m.credit_account
      where m.kind = 'TRANSFER' group by 1, 2, 3, 4, 5
    )
    select reference as subject,
      coalesce(told.times, 0) || ' x ' || amount || ' ' || currency as expected,
      coalesce(moved.times, 0) || ' x ' || amount || ' ' || currency as found
    from told full join moved using (reference, debit, credit, currency, amount)
    where told.times is distinct from moved.times`,

  // What a transaction says is held is held, and nothing else is.
  TRANSACTION_HOLD_MISMATCH: `
    with open as (
      select hold.id, hold.debit_account, hold.amount, hold.reference
      from movements hold
      where hold.kind = 'HOLD'
        and not exists (select from movements part where part.hold_id = hold.id)
    )
    select coalesce(t.id::text, open.reference) as subject,
      coalesce(t.hold_id || ' ' || t.hold_amount, 'no hold') as expected,
      coalesce(open.id || ' ' || open.amount, 'no hold') as found
    from (select * from transactions where hold_id is not null) as t
    full join open on open.id = t.hold_id
      and open.debit_account = t.hold_account and open.amount = t.hold_amount
      and open.reference = t.id::text
    where t.id is null or open.id is null`,
};

/**
 * Runs every check and returns at most `most` divergences, the first of each check first. Run it on
 * one snapshot; it takes no lock that a writer would wait for.
 */
export async function verifyBooks(tx: Tx, most: number): Promise<BooksReport> {
  // So that books of a fair size are joined and summed in memory.
  await tx.query("set local work_mem = '64MB'");
  const { rows } = await tx.query<Record<"accounts" | "movements" | "transactions", string>>(
    `select (select count(*) from accounts) as accounts,
       (select count(*) from movements) as movements,
       (select count(*) from transactions) as transactions`,
  );
  const found: Divergence[][] = [];
  for (const [check, statement] of Object.entries(CHECKS)) {
    // Apart from its limit: a planner that hopes to meet it early compares each row with every other.
    const result = await tx.query<Omit<Divergence, "check">>(
      `with divergent as materialized (${statement})
       select * from divergent order by subject, expected limit $1`,
      [most],
    );
    found.push(result.rows.map((row) => ({ check, ...row })));
  }
  const [counts] = rows;
  return {
    accounts: BigInt(counts?.accounts ?? 0),
    movements: BigInt(counts?.movements ?? 0),
    transactions: BigInt(counts?.transactions ?? 0),
    divergences: interleave(found).slice(0, most),
  };
}

function interleave<T>(lists: readonly (readonly T[])[]): T[] {
  const longest = Math.max(0, ...lists.map((list) => list.length));
  return Array.from({ length: longest }, (_, nth) =>
    lists.flatMap((list) => list.slice(nth, nth + 1)),
  ).flat();
}
