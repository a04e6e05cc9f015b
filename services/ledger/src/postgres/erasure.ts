import { forgetRequestsOf, type Pool, type Tx, withTransaction } from "@bourse/postgres";
import { type OpenTransaction, type Remains, refuseRemains } from "../erasure.ts";
import type { QueryOptions } from "../store.ts";

/** Transactions that one database transaction rewrites. */
const SLICE = 1_000;

/** An agent and what stands in its place. */
export interface Names {
  readonly agentId: string;
  readonly alias: string;
}

/**
 * Erases an agent, in slices; safe to repeat. The name goes first and at once, since it is what everything else is
 * looked up by: from then on the agent's accounts are the alias's, which is how a repetition finds them again.
 * @throws Rejection ACCOUNT_NOT_EMPTY, AGENT_HAS_OPEN_TRANSACTIONS; then nothing has changed
 */
export async function eraseAgent(pool: Pool, names: Names, query: QueryOptions): Promise<void> {
  const accounts = await withTransaction(pool, (tx) => renameAccounts(tx, names), query);
  for (const ids of slices(await selectTransactionsOf(pool, accounts))) {
    await withTransaction(pool, (tx) => eraseAgreements(tx, ids, names, "party"), query);
  }
  for (const ids of slices(await selectMentions(pool, names))) {
    await withTransaction(pool, (tx) => eraseAgreements(tx, ids, names, "other"), query);
  }
  await withTransaction(pool, (tx) => forget(tx, names), query);
}

function* slices(ids: readonly string[]): Generator<readonly string[]> {
  for (let start = 0; start < ids.length; start += SLICE) yield ids.slice(start, start + SLICE);
}

/** Renames and freezes the accounts when nothing is left in them, and returns their ids. */
async function renameAccounts(tx: Tx, names: Names): Promise<readonly string[]> {
  const { rows: locked } = await tx.query<{ id: string }>(
    "select id from accounts where owner = $1 order by id for update",
    [names.agentId],
  );
  const ids = locked.map((row) => row.id);
  refuseRemains(await selectRemains(tx, ids), await selectOpen(tx, ids, names));
  // Where a repetition finds an account that was opened since, the alias has one of that currency already.
  await tx.query(
    `update accounts mine
     set status = case status when 'CLOSED' then status else 'FROZEN' end,
       stamp = hashtextextended(gen_random_uuid()::text, 0),
       owner = case when exists (
         select from accounts other where other.owner = $2 and other.currency = mine.currency
       ) then $2 || '-' || id else $2 end
     where id = any($1::bigint[])`,
    [ids, names.alias],
  );
  const { rows } = await tx.query<{ id: string }>(
    "select id from accounts where owner = $1 or starts_with(owner, $1 || '-')",
    [names.alias],
  );
  return rows.map((row) => row.id);
}

async function selectRemains(tx: Tx, accounts: readonly string[]): Promise<readonly Remains[]> {
  const { rows } = await tx.query<Record<keyof Remains, string>>(
    `select currency, credits_posted - debits_posted - debits_held + promised as balance,
       promised + coming as held, owed,
       coalesce((select sum(amount) from debts where creditor_account = accounts.id), 0) as claims
     from accounts
     cross join lateral (
       select coalesce(sum(amount) filter (where account = accounts.id), 0) as promised,
         coalesce(sum(amount) filter (where payee = accounts.id), 0) as coming
       from holds where account = accounts.id or payee = accounts.id
     ) as open
     where id = any($1::bigint[])
     order by currency`,
    [accounts],
  );
  return rows.map(({ currency, balance, held, owed, claims }) => ({
    currency,
    balance: BigInt(balance),
    held: BigInt(held),
    owed: BigInt(owed),
    claims: BigInt(claims),
  }));
}

const OPEN = "state in ('PENDING', 'DISPUTED')";
/** Whether the terms of a transaction name who stands in $1 as an arbitrator. */
const NAMED = "coalesce(terms::jsonb #> '{arbitration,arbitrators}' ? $1, false)";

/** The terms with another name in the place of an arbitrator's. */
function renamedTerms(agentId: string, alias: string): string {
  return `case when coalesce(terms::jsonb #> '{arbitration,arbitrators}' ? ${agentId}, false)
    then jsonb_set(terms::jsonb, '{arbitration,arbitrators}', (
      select jsonb_agg(case name when ${agentId} then ${alias} else name end order by nth)
      from jsonb_array_elements_text(terms::jsonb #> '{arbitration,arbitrators}')
        with ordinality as arbitrator (name, nth)
    ))::json
    else terms end`;
}

async function selectOpen(
  tx: Tx,
  accounts: readonly string[],
  { agentId }: Names,
): Promise<readonly OpenTransaction[]> {
  const { rows } = await tx.query<OpenTransaction>(
    `select id, state
     from transactions
     where ${OPEN}
       and (payer_account = any($2::bigint[]) or provider_account = any($2::bigint[]) or ${NAMED})
     order by id
     limit 1`,
    [agentId, accounts],
  );
  return rows;
}

async function selectTransactionsOf(
  tx: Tx,
  accounts: readonly string[],
): Promise<readonly string[]> {
  const { rows } = await tx.query<{ id: string }>(
    `select t.id from chapters c
     join transactions t on t.chapter = c.number and t.payer_account = any($1::bigint[])
     union
     select t.id from chapters c
     join transactions t on t.chapter = c.number and t.provider_account = any($1::bigint[])
     order by id`,
    [accounts],
  );
  return rows.map((row) => row.id);
}

/** Transactions of others that the agent recorded, or was to rule on. */
async function selectMentions(tx: Tx, { agentId }: Names): Promise<readonly string[]> {
  const { rows } = await tx.query<{ id: string }>(
    `select id from transactions where recorder = $2 or ${NAMED}
     union
     select transaction_id from votes where arbitrator = $1
     union
     select transaction_id from dispute_arbitrators where arbitrator = $1
     union
     select transaction_id from evidence where submitter = $2
     order by id`,
    [agentId, `agent:${agentId}`],
  );
  return rows.map((row) => row.id);
}

/**
 * Takes an agent out of agreements and disputes. Where it is a party, what was noted for the two goes, whoever wrote
 * it, but for the name of the task. Elsewhere only its own words go.
 */
async function eraseAgreements(
  tx: Tx,
  ids: readonly string[],
  { agentId, alias }: Names,
  role: "party" | "other",
): Promise<void> {
  const callers = [`agent:${agentId}`, `agent:${alias}`];
  const isParty = role === "party";
  await tx.query("set local ledger.erasing = 'on'");
  await tx.query("select from transactions where id = any($1) order by id for update", [ids]);
  await tx.query(
    `update transactions
     set recorder = case recorder when $2 then $3 else recorder end,
       terms = ${renamedTerms("$4::text", "$5::text")},
       context = case when $6 then ${TASK_ONLY} else context end,
       delivered_reference = case when $6 then null else delivered_reference end
     where id = any($1)`,
    [ids, ...callers, agentId, alias, isParty],
  );
  await tx.query(
    `update disputes
     set flagged_by = case flagged_by when $2 then $3 else flagged_by end,
       ruled_by = case ruled_by when $2 then $3 else ruled_by end,
       ruling_reason = case when ruling_reason is not null and ($4 or ruled_by = $2) then ''
         else ruling_reason end
     where transaction_id = any($1)`,
    [ids, ...callers, isParty],
  );
  await tx.query(
    `update evidence
     set submitter = case submitter when $2 then $3 else submitter end,
       note = case when $4 or submitter = $2 then '' else note end,
       reference = case when $4 or submitter = $2 then '' else reference end
     where transaction_id = any($1)`,
    [ids, ...callers, isParty],
  );
  await tx.query(
    `update dispute_arbitrators set arbitrator = $3
     where arbitrator = $2 and transaction_id = any($1)`,
    [ids, agentId, alias],
  );
  await tx.query(
    `update votes
     set arbitrator = case arbitrator when $2 then $3 else arbitrator end,
       reason = case when $4 or arbitrator = $2 then '' else reason end
     where transaction_id = any($1)`,
    [ids, agentId, alias, isParty],
  );
}

/** What of a context is no one's words: the task, and which award of it. */
const TASK_ONLY = `nullif(
    jsonb_strip_nulls(
      jsonb_build_object('epoch', context::jsonb->'epoch', 'task_id', context::jsonb->'task_id')
    ),
    '{}'
  )::json`;

/** The last: what was refused, who stands behind the pseudonym, what was answered. */
async function forget(tx: Tx, { agentId, alias }: Names): Promise<void> {
  await tx.query(
    `update burnt_transactions
     set payer = case payer when $1 then $2 else payer end,
       provider = case provider when $1 then $2 else provider end,
       recorder = case recorder when $3 then $4 else recorder end,
       terms = ${renamedTerms("$1", "$2")},
       context = case when $1 in (payer, provider) then ${TASK_ONLY} else context end
     where $1 in (payer, provider) or recorder = $3 or ${NAMED}`,
    [agentId, alias, `agent:${agentId}`, `agent:${alias}`],
  );
  await tx.query("delete from pseudonyms where subject = $1", [agentId]);
  await forgetRequestsOf(tx, agentId);
}
