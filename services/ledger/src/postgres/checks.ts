// Each account as it is shown: what is held is added up from open holds, and is no debit yet.
const SHOWN = `
  select id, owner, currency, credits_posted as came,
    debits_posted + debits_held - coalesce(open.held, 0) as went,
    coalesce(open.held, 0) as held, coalesce(open.coming, 0) as coming
  from accounts
  left join (
    select account, sum(held) as held, sum(coming) as coming
    from (
      select account, amount as held, 0 as coming from holds
      union all
      select payee, 0, amount from holds
    ) as sides
    group by account
  ) as open on open.account = accounts.id`;

/** A time as it is told everywhere else. */
function timeOf(column: string): string {
  return `to_char(${column} at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"')`;
}

/** What Verify asks of the books: each check is one statement that returns rows of subject, expected and found. */
export const CHECKS: Readonly<Record<string, string>> = {
  SUM_NOT_ZERO: `
    with shown as (${SHOWN})
    select currency as subject, '0' as expected, sum(came - went)::text as found
    from shown group by currency having sum(came - went) <> 0`,

  BALANCE_NOT_FOLD: `
    with shown as (${SHOWN}),
    moved as (
      select account, sum(went) as went, sum(came) as came
      from (
        select credit_account as account, 0 as went, amount as came
        from movements where kind in ('POST', 'TRANSFER')
        union all
        select debit_account, amount, 0 from movements where kind in ('POST', 'TRANSFER')
      ) as legs
      group by account
    )
    select owner || ' ' || currency as subject,
      coalesce(moved.came, 0) || ' in, ' || coalesce(moved.went, 0) || ' out' as expected,
      shown.came || ' in, ' || shown.went || ' out' as found
    from shown left join moved on moved.account = shown.id
    where shown.came <> coalesce(moved.came, 0) or shown.went <> coalesce(moved.went, 0)`,

  HELD_NOT_OPEN_HOLDS: `
    with shown as (${SHOWN}),
    promised as (
      select account, sum(went) as went, sum(came) as came
      from (
        select debit_account as account, 0 as came,
          case kind when 'HOLD' then amount else -amount end as went
        from movements where kind <> 'TRANSFER'
        union all
        select credit_account, case kind when 'HOLD' then amount else -amount end, 0
        from movements where kind <> 'TRANSFER'
      ) as legs
      group by account
    )
    select owner || ' ' || currency as subject,
      coalesce(promised.came, 0) || ' in, ' || coalesce(promised.went, 0) || ' out' as expected,
      coming || ' in, ' || held || ' out' as found
    from shown left join promised on promised.account = shown.id
    where coming <> coalesce(promised.came, 0) or held <> coalesce(promised.went, 0)`,

  OWED_NOT_DEBTS: `
    with due as (
      select debtor_account as account, sum(amount) as amount from debts group by debtor_account
    )
    select owner || ' ' || currency as subject, coalesce(due.amount, 0)::text as expected,
      owed::text as found
    from accounts left join due on due.account = accounts.id
    where owed <> coalesce(due.amount, 0)`,

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

  // What a dispute has frozen and what is owed to it make up what is in dispute; and a transaction
  // is DISPUTED for as long as its dispute has no ruling. Each dispute is of a transaction.
  DISPUTE_NOT_FROZEN: `
    select coalesce(t.id, c.transaction_id)::text as subject,
      case when c.due_at is null then 'no open dispute' else 'DISPUTED ' || c.amount end as expected,
      coalesce(t.state::text, 'no transaction') || ' ' || coalesce(h.amount, 0) + coalesce(o.amount, 0)
        as found
    from transactions t
    full join disputes c on c.transaction_id = t.id
    left join holds h on h.transaction_id = t.id
    left join debts o on o.transaction_id = t.id
    where t.id is null
      or (t.state = 'DISPUTED' or c.due_at is not null)
        and (t.state <> 'DISPUTED' or c.due_at is null
          or coalesce(h.amount, 0) + coalesce(o.amount, 0) <> c.amount)`,

  // What a transaction says was paid is what its movements paid from the payer to the provider,
  // less what a ruling has the provider give back; what is owed to a dispute is not given back yet.
  TRANSACTION_NOT_FOLD: `
    with paid as (
      select t.id,
        sum(case m.debit_account when t.payer_account then m.amount else -m.amount end) as amount
      from movements m join transactions t on t.id = m.transaction_id
      where m.kind in ('POST', 'TRANSFER')
      group by t.id
    )
    select t.id::text as subject,
      (case t.state when 'CANCELLED' then 0 else t.settled end + coalesce(d.amount, 0))::text as expected,
      coalesce(paid.amount, 0)::text as found
    from transactions t
    left join debts d on d.transaction_id = t.id and t.state <> 'DISPUTED'
    left join paid on paid.id = t.id
    where t.settled + coalesce(d.amount, 0) <> coalesce(paid.amount, 0)
      or (t.state = 'CANCELLED' and t.settled <> 0)`,

  // What the payer was to hold is what its movement held.
  AMOUNT_NOT_HELD: `
    select t.id::text as subject, t.amount::text as expected, coalesce(sum(m.amount), 0)::text as found
    from transactions t
    left join movements m on m.transaction_id = t.id and m.kind = 'HOLD'
      and m.debit_account <> t.provider_account
    group by t.id
    having coalesce(sum(m.amount), 0) <> t.amount`,

  // All that is held or in dispute is ended by a rule on some day, which is no later than was agreed: else it could
  // stay so for ever. No window of a dispute is longer than 366 days.
  END_NOT_IN_TIME: `
    with open as (
      select t.id, h.due_at, greatest(
        t.created_at + t.hold_ms * interval '1 ms',
        t.delivered_at + (t.terms->'delivery'->>'reviewMs')::bigint * interval '1 ms') as latest
      from holds h join transactions t on t.id = h.transaction_id
      where t.state = 'PENDING'
      union all
      select transaction_id, due_at, least(ruling_due, flagged_at + 732 * interval '24 hours')
      from disputes where ruled_at is null
    )
    select id::text as subject, ${timeOf("latest")} || ' at the latest' as expected,
      coalesce(${timeOf("due_at")}, 'never') as found
    from open where due_at is null or due_at > latest`,

  // A promise or payment that belongs to no transaction, or is not between its two parties.
  TRANSACTION_PARTY_MISMATCH: `
    select m.id::text as subject,
      coalesce(t.payer_account || ' ' || t.provider_account, 'a transaction') as expected,
      m.debit_account || ' ' || m.credit_account as found
    from movements m left join transactions t on t.id = m.transaction_id
    where m.transaction_id is not null
      and (t.id is null or (t.payer_account, t.provider_account)
        not in ((m.debit_account, m.credit_account), (m.credit_account, m.debit_account)))`,

  // Each deposit, withdrawal and credit that was done moved its money once, and nothing else did.
  TRANSFER_MISMATCH: `
    with outside as (
      select t.*, a.currency, source.id as source,
        t.kind = 'WITHDRAWAL' or t.amount < 0 as outward
      from transfers t
      left join accounts a on a.id = t.account
      left join accounts source on source.currency = a.currency
        and source.owner = case t.kind when 'CREDIT' then '@issuer' else '@world' end
      where not t.burnt
    ),
    told as (
      select id as transfer, case when outward then account else source end as debit,
        case when outward then source else account end as credit, abs(amount) as amount,
        count(*) as times
      from outside group by 1, 2, 3, 4
    ),
    moved as (
      select transfer, debit_account as debit, credit_account as credit, amount, count(*) as times
      from movements where transfer is not null group by 1, 2, 3, 4
    )
    select transfer as subject, coalesce(told.times, 0) || ' x ' || amount as expected,
      coalesce(moved.times, 0) || ' x ' || amount as found
    from told full join moved using (transfer, debit, credit, amount)
    where told.times is distinct from moved.times`,

  // Whoever lists what an agent paid or was paid goes by chapters.
  TRANSACTION_MISFILED: `
    with spans as (
      select number, begins, lead(begins, 1, 'infinity') over (order by number) as ends from chapters
    )
    select t.id::text as subject,
      coalesce((select 'chapter ' || chapter_of(t.created_at)), 'a chapter') as expected,
      'chapter ' || t.chapter as found
    from transactions t left join spans on spans.number = t.chapter
    where spans.number is null or t.created_at < spans.begins or t.created_at >= spans.ends`,

  // A transaction says where its movements stand in the pages, and a page which ids it has: else nobody finds them.
  MOVEMENT_MISPLACED: `
    with paged as (
      select m.id, m.kind, m.transaction_id, m.nth, p.recorded_at as at, p.nth + m.place - 1 as place,
        m.id between p.first_id and p.last_id as is_within
      from movement_pages p
      cross join unnest(p.movements) with ordinality as m (debit, credit, amount, kind, id,
        transaction_id, hold_id, transfer, nth, hash, place)
    ),
    told as (
      select paged.*, case kind when 'HOLD' then t.created_at else t.ended_at end as told_at,
        case kind when 'HOLD' then t.begun_nth else t.ended_nth end as told_place
      from paged left join transactions t on t.id = transaction_id
    )
    select id::text as subject, kind || ' ' || place || ' of ' || ${timeOf("at")} as expected,
      case when not is_within or nth <> place then 'out of its page'
        else coalesce(told_place || ' of ' || ${timeOf("told_at")}, 'nowhere') end as found
    from told
    where not is_within or nth <> place or transaction_id is not null and (
      told_at is distinct from at or told_place is null
      or place - told_place not between 0 and case kind when 'HOLD' then 0 else 1 end
    )`,

  // What is held is what the movements hold, no more and no less; who waits for payment has a hold,
  // and who was paid or refunded has none.
  TRANSACTION_HOLD_MISMATCH: `
    with open as (
      select hold.id, hold.debit_account as account, hold.amount, hold.transaction_id
      from movements hold
      where hold.kind = 'HOLD'
        and not exists (select from movements part where part.hold_id = hold.id)
    ),
    told as (
      select t.id as transaction_id, h.id, h.account, h.amount, t.state
      from transactions t left join holds h on h.transaction_id = t.id
      where h.id is not null or t.state = 'PENDING'
    )
    select coalesce(told.transaction_id, open.transaction_id, lost.transaction_id)::text as subject,
      coalesce(told.id || ' ' || told.amount, 'no hold') as expected,
      coalesce(open.id || ' ' || open.amount, lost.id || ' ' || lost.amount, 'no hold') as found
    from told
    full join open on open.id = told.id and open.account = told.account
      and open.amount = told.amount and open.transaction_id = told.transaction_id
    full join (
      select * from holds where not exists (select from transactions where id = transaction_id)
    ) as lost on lost.id = open.id
    where told.id is null or open.id is null or told.state in ('SETTLED', 'CANCELLED')`,
};
