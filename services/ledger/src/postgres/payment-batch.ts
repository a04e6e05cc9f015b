import type { Tx } from "@bourse/postgres";
import { canonicalJson, packedRoot } from "@bourse/proof";
import { committed } from "../account.ts";
import type { Draft } from "../books.ts";
import { movementHashes } from "../journal.ts";
import type { Movement } from "../movement.ts";
import type { OpenHold, Transaction } from "../transaction.ts";
import type { LookedAccount } from "./account-entry.ts";
import { BURNT_COLUMNS } from "./burnt.ts";
import { GROUP_COLUMNS, groupsOf } from "./groups.ts";
import type { Looked } from "./memory.ts";
import { pagesOf, putPage } from "./movement-pages.ts";
import {
  putBigint,
  putInteger,
  putJson,
  putName,
  putNumeric,
  putText,
  putTime,
  putUuid,
  records,
  uuids,
} from "./records.ts";
import { arrays } from "./rows.ts";
import { storedTerms } from "./transactions.ts";
import { transferColumns } from "./transfers.ts";

// All of a batch of payments in one statement, which is a transaction of its own: it checks that
// what the batch was decided on still stands, and writes. `checked` asks its parts in the order in
// which all writers lock: transactions, accounts, new ids, which another may be writing too, and
// then, by `sealed`, the head of the journal. An account that is only promised something, or pays what
// it has promised, is not among them: the count of closings at the head tells whether it may be closed.
// The head also tells whether a chapter has begun meanwhile to which the new transactions would belong.
// `refuse_used` asks once more behind that lock, and sees what was burnt or recorded since the statement
// began.
//
// Rows are found by a range of one id. By equality the planner may choose to read a table whole, and
// to compare each row of it with each of the batch, when it had few rows as it was last looked at: so
// `holds` is whenever it is vacuumed while all is settled. Its `hold` is compared last, because the
// planner would walk the accounts of the other index for it.
const STATEMENT = `
  with changed as (
    update accounts as old
    set debits_posted = new.debits, debits_held = 0, credits_posted = new.credits, stamp = $1,
      room = ''
    from unnest($2::payment_totals[]) as new
    where old.id between new.id and new.id and old.stamp = new.stamp
    returning 1
  ), ended as (
    update transactions as old
    set state = new.state, settled = new.settled, updated_at = $3, ended_at = $3, ended_nth = new.nth,
      settled_at = case new.state when 'SETTLED' then $3::timestamptz end
    from unnest($4::payment_ended[]) as new
    where old.id between new.id and new.id and old.state = 'PENDING'
      and old.delivered_at is null
    returning 1
  ), released as (
    delete from holds h
    using unnest($4::payment_ended[]) as old
    where h.transaction_id between old.id and old.id
    returning h.id = old.hold as as_decided
  ), seen as (
    select from unnest($5::uuid[]) as given (id)
    join transactions t on t.id between given.id and given.id
    where t.state = 'PENDING' and t.delivered_at is null
    for no key update of t
  ), recorded as (
    insert into transactions (id, payer_account, provider_account, amount, settled, hold_ms,
      created_at, updated_at, settled_at, state, capability, recorder, group_id, context, terms,
      begun_nth, ended_nth, ended_at, chapter)
    select id, payer, provider, amount, settled, hold_ms, $3, $3,
      case state when 'SETTLED' then $3::timestamptz end, state, capability, recorder, group_id,
      context, terms, begun_nth, ended_nth, case when ended_nth is not null then $3::timestamptz end,
      (select chapter_of($3))
    from unnest($6::payment_recorded[])
    returning 1
  ), held as (
    insert into holds (transaction_id, id, account, payee, amount, due_at)
    select id, hold, hold_account, provider, hold_amount, due_at
    from unnest($6::payment_recorded[])
    where hold is not null
  ), transferred as (
    insert into transfers (kind, id, account, amount, task_id, burnt, created_at)
    select kind, id, account, amount, task_id, burnt, $3
    from unnest($7::transfer_kind[], $8::text[], $9::bigint[], $10::bigint[], $11::text[],
        $12::boolean[]) as new (kind, id, account, amount, task_id, burnt)
    returning 1
  ), burnt as (
    insert into burnt_transactions (id, payer, provider, capability, currency, amount, hold_ms,
      recorder, group_id, context, terms, created_at)
    select new.*, $3
    from unnest($13::uuid[], $14::text[], $15::text[], $16::text[], $17::text[], $18::bigint[],
      $19::bigint[], $20::text[], $21::uuid[], $22::json[], $23::json[]) as new
    returning 1
  ), checked as (
    select refuse_stale(
      (select count(*) from seen) = cardinality($5::uuid[])
      and (select count(*) from ended) = cardinality($4::payment_ended[])
      and (select count(*) from released where as_decided) = cardinality($4::payment_ended[])
      and (select count(*) from changed) = cardinality($2::payment_totals[])
      and (select count(*) from recorded) = cardinality($6::payment_recorded[])
      and (select count(*) from transferred) = cardinality($7::transfer_kind[])
      and (select count(*) from burnt) = cardinality($13::uuid[])
      and not exists (select from burnt_transactions where id = any($25::uuid[]))
    ) as holds
  ), sealed as (
    update journal_head
    set sequence = sequence + 1, chapter_entries = chapter_entries + $26,
      hash = sha256(convert_to('{"entries":' || $26::int || ',"previous_hash":"'
        || encode(hash, 'hex') || '","recorded_at":"' || $27::text || '","root":"'
        || encode($28::bytea, 'hex') || '","sequence":"' || sequence + 1 || '"}', 'UTF8'))
    from checked where checked.holds and refuse_stale(
      journal_head.closings = $32
      and ($3 < journal_head.chapter_begins or journal_head.chapter_begins =
        (select begins from chapters order by number desc limit 1))
    )
    returning sequence, hash
  ), batch as (
    insert into batches (sequence, recorded_at, entries, root, hash)
    select sequence, $3, $26, $28, hash from sealed
    where refuse_used(sequence, $24::uuid[], $25::uuid[], $30::uuid[], $31::text[])
  )
  insert into movement_pages (batch, recorded_at, nth, first_id, last_id, movements)
  select sealed.sequence, $3, nth, first_id, last_id, movements
  from unnest($29::payment_page[]), sealed`;

/** What a batch of payments writes and on what it was decided. */
export interface PaymentBatch {
  readonly draft: Draft;
  readonly looked: Looked;
  /** Those that are absent and not recorded either. */
  readonly missing: readonly string[];
  readonly now: Date;
  /** The new stamp of all accounts that were looked at. */
  readonly stamp: bigint;
}

/**
 * Writes a batch, by its `parametersOf`, or nothing; they are empty afterwards. V8 takes each function that is assigned
 * to a property for old at birth, such as the driver's for the answer: until the next large collection that would keep
 * what was sent, 33 MB a second.
 * @throws an error of Postgres with the state 40001 when what it was decided on stands no more, and
 *   of a violated key when an id was used before
 */
export async function writePayments(tx: Tx, parameters: unknown[]): Promise<void> {
  try {
    await tx.query({ name: "payments", text: STATEMENT, values: parameters });
  } finally {
    parameters.length = 0;
  }
}

/** What the statement is given for a batch; to be taken before memory goes on. */
export function parametersOf({ draft, looked, missing, now, stamp }: PaymentBatch): unknown[] {
  const { changed, account } = draft;
  const accountOf = (owner: string, currency: string) => account({ owner, currency })?.id;
  const hashes = movementHashes(changed.movements);
  const { ended, added, seen } = divided(changed, looked.transactions);
  const places = placesOf(changed.movements);
  return [
    stamp,
    // In the order in which all writers lock them.
    records(
      looked.accounts().toSorted((a, b) => a.place - b.place),
      putAccount,
    ),
    now,
    records(ended, (each) => putEnded(each, places.get(each.after.id))),
    uuids(seen),
    records(added, (each) => putRecorded(each, places.get(each.id))),
    // $7 to $12, and $13 to $23.
    ...arrays(transferColumns(accountOf), [...changed.transfers.values()]),
    ...arrays(BURNT_COLUMNS, [...changed.burnt.values()]),
    // What is recorded now need only not be burnt: its key keeps it from being there.
    uuids(added.map(({ id }) => id)),
    uuids(missing),
    changed.movements.length,
    now.toISOString(),
    packedRoot(hashes),
    records(pagesOf(changed.movements), (page) => putPage(page, hashes)),
    // $30 and $31.
    ...arrays(GROUP_COLUMNS, groupsOf(added)),
    looked.closings,
  ];
}

/**
 * A `payment_totals`. Also those that stay as they are are written, with a new stamp: what is only
 * locked cannot be locked in one order with what changes.
 */
function putAccount({ draft, stamp }: LookedAccount): void {
  putBigint(draft.id);
  putBigint(stamp);
  putNumeric(committed(draft));
  putNumeric(draft.creditsPosted);
}

/** A transaction that ends, and what it held. */
interface Ended {
  readonly after: Transaction;
  readonly hold: OpenHold | undefined;
}

function divided(changed: Draft["changed"], looked: ReadonlyMap<string, Transaction>) {
  const all = [...changed.transactions.values()].sort((a, b) => (a.id < b.id ? -1 : 1));
  const added: Transaction[] = [];
  const ended: Ended[] = [];
  for (const after of all) {
    const before = looked.get(after.id);
    if (before === undefined) added.push(after);
    else ended.push({ after, hold: before.hold });
  }
  // All, when some are only looked at, so that both are locked in one order.
  const seen = looked.size === ended.length ? [] : [...looked.keys()].sort();
  return { added, ended, seen };
}

/** Where the movements of a transaction stand in a batch. */
interface Places {
  /** The one that holds, and its place. */
  began: Movement | undefined;
  begunNth: number | undefined;
  /** The place of the first one that pays or releases: when there are two, they follow each other. */
  endedNth: number | undefined;
}

/** By transaction. */
function placesOf(movements: readonly Movement[]): ReadonlyMap<string, Places> {
  const all = new Map<string, Places>();
  for (const [nth, movement] of movements.entries()) {
    const { kind, transactionId } = movement;
    if (transactionId === undefined) continue;
    let places = all.get(transactionId);
    if (places === undefined) {
      places = { began: undefined, begunNth: undefined, endedNth: undefined };
      all.set(transactionId, places);
    }
    if (kind === "HOLD") {
      places.began = movement;
      places.begunNth = nth;
    } else {
      places.endedNth ??= nth;
    }
  }
  return all;
}

/** A `payment_ended`. */
function putEnded({ after, hold }: Ended, places: Places | undefined): void {
  putUuid(after.id);
  putName(after.state);
  putBigint(after.settled);
  putUuid(hold?.id);
  putInteger(places?.endedNth);
}

/**
 * A `payment_recorded`. Its accounts are those of the movement that it began with, which are known without another
 * look at the names of their owners.
 */
function putRecorded(transaction: Transaction, places: Places | undefined): void {
  const { amount, context, hold } = transaction;
  putUuid(transaction.id);
  putBigint(places?.began?.debit);
  putBigint(places?.began?.credit);
  putBigint(amount.micros);
  putBigint(transaction.settled);
  putBigint(BigInt(transaction.holdMs));
  putName(transaction.state);
  putText(transaction.capability);
  putText(transaction.recorder);
  putUuid(transaction.groupId);
  putJson(context && canonicalJson(context));
  putJson(storedTerms(transaction));
  putUuid(hold?.id);
  putBigint(hold?.account);
  putBigint(hold?.amount);
  putTime(hold?.dueAt);
  putInteger(places?.begunNth);
  putInteger(places?.endedNth);
}
