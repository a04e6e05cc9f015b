import type { Tx } from "@bourse/postgres";
import { canonicalJson, merkleRoot } from "@bourse/proof";
import type { Account } from "../account.ts";
import type { Draft } from "../books.ts";
import { movementHashes } from "../journal.ts";
import type { Transaction } from "../transaction.ts";
import { BURNT_COLUMNS } from "./burnt.ts";
import type { Looked } from "./memory.ts";
import { arrayLiteral, arrays, plainLiteral } from "./rows.ts";
import { storedTerms } from "./transactions.ts";
import { transferColumns } from "./transfers.ts";

// All of a batch of payments in one statement, which is a transaction of its own: it checks that
// what the batch was decided on still stands, and writes. `checked` asks its parts in the order in
// which all writers lock: transactions, accounts, new ids, which another may be writing too, and
// then, by `sealed`, the head of the journal.
const STATEMENT = `
  with changed as (
    update accounts as old
    set debits_posted = new.debits_posted, credits_posted = new.credits_posted,
      debits_held = new.debits_held, credits_held = new.credits_held, stamp = $1
    from unnest($2::bigint[], $3::bigint[], $4::numeric[], $5::numeric[], $6::numeric[],
        $7::numeric[]) as new (id, stamp, debits_posted, credits_posted, debits_held, credits_held)
    where old.id = new.id and old.stamp = new.stamp
    returning 1
  ), ended as (
    update transactions as old
    set state = new.state, settled = new.settled, updated_at = $8,
      settled_at = case new.state when 'SETTLED' then $8::timestamptz end
    from unnest($9::uuid[], $10::transaction_state[], $11::bigint[]) as new (id, state, settled)
    where old.id = new.id and old.state = 'PENDING' and old.delivered_at is null
    returning 1
  ), released as (
    delete from holds h
    using unnest($9::uuid[], $12::uuid[]) as old (transaction_id, id)
    where h.transaction_id = old.transaction_id and h.id = old.id
    returning 1
  ), seen as (
    select from transactions t join unnest($13::uuid[]) as given (id) using (id)
    where t.state = 'PENDING' and t.delivered_at is null
    for no key update of t
  ), recorded as (
    insert into transactions (id, payer_account, provider_account, amount, settled, hold_ms,
      created_at, updated_at, settled_at, state, capability, recorder, group_id, context, terms)
    select id, payer, provider, amount, settled, hold_ms, $8, $8,
      case state when 'SETTLED' then $8::timestamptz end, state, capability, recorder, group_id,
      context, terms
    from unnest($14::uuid[], $15::bigint[], $16::bigint[], $17::bigint[], $18::bigint[],
        $19::bigint[], $20::transaction_state[], $21::text[], $22::text[], $23::uuid[], $24::json[],
        $25::json[])
      as new (id, payer, provider, amount, settled, hold_ms, state, capability, recorder, group_id,
        context, terms)
    returning 1
  ), held as (
    insert into holds (transaction_id, id, account, amount, due_at)
    select * from unnest($26::uuid[], $27::uuid[], $28::bigint[], $29::bigint[], $30::timestamptz[])
  ), transferred as (
    insert into transfers (kind, id, account, amount, task_id, burnt, created_at)
    select kind, id, account, amount, task_id, burnt, $8
    from unnest($31::transfer_kind[], $32::text[], $33::bigint[], $34::bigint[], $35::text[],
        $36::boolean[]) as new (kind, id, account, amount, task_id, burnt)
    returning 1
  ), burnt as (
    insert into burnt_transactions (id, payer, provider, capability, currency, amount, hold_ms,
      recorder, group_id, context, terms, created_at)
    select new.*, $8
    from unnest($37::uuid[], $38::text[], $39::text[], $40::text[], $41::text[], $42::bigint[],
      $43::bigint[], $44::text[], $45::uuid[], $46::json[], $47::json[]) as new
    returning 1
  ), checked as (
    select refuse_stale(
      (select count(*) from seen) = cardinality($13::uuid[])
      and (select count(*) from ended) = cardinality($9::uuid[])
      and (select count(*) from released) = cardinality($9::uuid[])
      and (select count(*) from changed) = cardinality($2::bigint[])
      and (select count(*) from recorded) = cardinality($14::uuid[])
      and (select count(*) from transferred) = cardinality($31::transfer_kind[])
      and (select count(*) from burnt) = cardinality($37::uuid[])
      and not exists (select from burnt_transactions where id = any($48::uuid[]))
      and not exists (select from transactions where id = any($49::uuid[]))
    ) as holds
  ), sealed as (
    update journal_head
    set sequence = sequence + 1,
      hash = sha256(convert_to('{"entries":' || $50::int || ',"previous_hash":"'
        || encode(hash, 'hex') || '","recorded_at":"' || $51::text || '","root":"'
        || encode($52::bytea, 'hex') || '","sequence":"' || sequence + 1 || '"}', 'UTF8'))
    from checked where checked.holds
    returning sequence, hash
  ), batch as (
    insert into batches (sequence, recorded_at, entries, root, hash)
    select sequence, $8, $50, $52, hash from sealed
  )
  insert into movements (batch, debit_account, credit_account, amount, created_at, nth, kind, id,
    transaction_id, hold_id, hash, transfer)
  select sealed.sequence, debit, credit, amount, $8, place - 1, kind, id, transaction_id, hold_id,
    substr($53::bytea, 32 * (place::int - 1) + 1, 32), transfer
  from unnest($54::bigint[], $55::bigint[], $56::bigint[], $57::movement_kind[], $58::uuid[],
      $59::uuid[], $60::uuid[], $61::text[]) with ordinality
    as new (debit, credit, amount, kind, id, transaction_id, hold_id, transfer, place), sealed`;

/** What a batch of payments writes and on what it was decided. */
export interface PaymentBatch {
  readonly draft: Draft;
  readonly looked: Looked;
  readonly now: Date;
  /** The new stamp of the accounts that change. */
  readonly stamp: bigint;
}

/**
 * Writes a batch, by its `parametersOf`, or nothing.
 * @throws an error of Postgres with the state 40001 when what it was decided on stands no more, and
 *   of a violated key when an id was used before
 */
export async function writePayments(tx: Tx, parameters: unknown[]): Promise<void> {
  await tx.query({ name: "payments", text: STATEMENT, values: parameters });
}

/** What the statement is given for a batch; to be taken before memory goes on. */
export function parametersOf({ draft, looked, now, stamp }: PaymentBatch): unknown[] {
  const { changed, account } = draft;
  const accountOf = (owner: string, currency: string) => account({ owner, currency })?.id;
  const hashes = movementHashes(changed.movements);
  return [
    stamp,
    ...accountArrays(changed.accounts, looked.accounts),
    now,
    ...transactionArrays(changed, looked.transactions, accountOf),
    // $31 to $36, and $37 to $47.
    ...arrays(transferColumns(accountOf), changed.transfers),
    ...arrays(BURNT_COLUMNS, changed.burnt),
    ...absentArrays(changed, looked.absent),
    hashes.length,
    now.toISOString(),
    merkleRoot(hashes),
    Buffer.concat(hashes),
    ...movementArrays(changed.movements),
  ];
}

/**
 * $2 to $7: in the order of the ids, in which all writers lock them. Also those that are written as
 * they were, since what is only locked cannot be locked in one order with what changes.
 */
function accountArrays(
  changed: ReadonlyMap<bigint, Account>,
  looked: Looked["accounts"],
): string[] {
  const written = looked
    .map(({ account, stamp }) => ({ account: changed.get(account.id) ?? account, stamp }))
    .sort((a, b) => (a.account.id < b.account.id ? -1 : 1));
  return [
    plainLiteral(written.map(({ account }) => account.id)),
    plainLiteral(written.map(({ stamp }) => stamp)),
    plainLiteral(written.map(({ account }) => account.debitsPosted)),
    plainLiteral(written.map(({ account }) => account.creditsPosted)),
    plainLiteral(written.map(({ account }) => account.debitsHeld)),
    plainLiteral(written.map(({ account }) => account.creditsHeld)),
  ];
}

/** $9 to $30. */
function transactionArrays(
  changed: Draft["changed"],
  looked: ReadonlyMap<string, Transaction>,
  accountOf: (owner: string, currency: string) => bigint | undefined,
): string[] {
  const all = [...changed.transactions.values()].sort((a, b) => (a.id < b.id ? -1 : 1));
  const ended = all.filter(({ id }) => looked.has(id));
  const added = all.filter(({ id }) => !looked.has(id));
  // All, when some are only looked at, so that both are locked in one order.
  const seen = looked.size === ended.length ? [] : [...looked.keys()].sort();
  const held = added.flatMap(({ id, hold }) => (hold === undefined ? [] : [{ id, hold }]));
  return [
    plainLiteral(ended.map(({ id }) => id)),
    plainLiteral(ended.map(({ state }) => state)),
    plainLiteral(ended.map(({ settled }) => settled)),
    plainLiteral(ended.map(({ id }) => looked.get(id)?.hold?.id)),
    plainLiteral(seen),
    plainLiteral(added.map(({ id }) => id)),
    plainLiteral(added.map(({ payer, amount }) => accountOf(payer, amount.currency))),
    plainLiteral(added.map(({ provider, amount }) => accountOf(provider, amount.currency))),
    plainLiteral(added.map(({ amount }) => amount.micros)),
    plainLiteral(added.map(({ settled }) => settled)),
    plainLiteral(added.map(({ holdMs }) => holdMs)),
    plainLiteral(added.map(({ state }) => state)),
    arrayLiteral(added.map(({ capability }) => capability)),
    arrayLiteral(added.map(({ recorder }) => recorder)),
    plainLiteral(added.map(({ groupId }) => groupId)),
    arrayLiteral(added.map(({ context }) => context && canonicalJson(context))),
    arrayLiteral(added.map(storedTerms)),
    plainLiteral(held.map(({ id }) => id)),
    plainLiteral(held.map(({ hold }) => hold.id)),
    plainLiteral(held.map(({ hold }) => hold.account)),
    plainLiteral(held.map(({ hold }) => hold.amount)),
    arrayLiteral(held.map(({ hold }) => hold.dueAt)),
  ];
}

/** $48 and $49: what is recorded now need only not be burnt; its key keeps it from being there. */
function absentArrays(changed: Draft["changed"], absent: ReadonlySet<string>): string[] {
  const missing = [...absent].filter((id) => !changed.transactions.has(id));
  return [plainLiteral([...absent]), plainLiteral(missing)];
}

/** $54 to $61. */
function movementArrays(movements: Draft["changed"]["movements"]): string[] {
  return [
    plainLiteral(movements.map(({ debit }) => debit)),
    plainLiteral(movements.map(({ credit }) => credit)),
    plainLiteral(movements.map(({ amount }) => amount)),
    plainLiteral(movements.map(({ kind }) => kind)),
    plainLiteral(movements.map(({ id }) => id)),
    plainLiteral(movements.map(({ transactionId }) => transactionId)),
    plainLiteral(movements.map(({ holdId }) => holdId)),
    arrayLiteral(movements.map(({ transfer }) => transfer)),
  ];
}
