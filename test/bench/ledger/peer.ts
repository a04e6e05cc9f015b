import { type ExecFileException, execFile } from "node:child_process";
import { readdirSync } from "node:fs";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { availableParallelism, tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { BenchFailure } from "../failure.ts";
import type { BenchDatabase } from "../server.ts";

/** What the peer keeps, for whoever compares. */
export const PEER_STORES =
  "pgbench -M prepared calls one plpgsql function per commit. It inserts the transfer (uuidv7 id, " +
  "two account ids, amount, time; primary key on id, on conflict do nothing), locks both accounts " +
  "in the order of their ids, checks the balance, and updates both (bigint id and balance; primary " +
  "key on id, fillfactor 50). No other index, no history of balances, no chain, no holds.";

/** What one run of the peer did. */
export interface PeerRun {
  readonly transfers: number;
  readonly perSecond: number;
  readonly averageMs: number;
}

/** How long what pgbench does beside its measurement may take. */
const MARGIN_S = 60;

/** Makes the peer's tables, with money on every account. */
export async function preparePeer(database: BenchDatabase, accounts: number): Promise<void> {
  const { rows } = await database.pool.query<{ version: number }>(
    "select current_setting('server_version_num')::int as version",
  );
  // Of a time-ordered id, as the ledger's are, only the end of the index is written to.
  const newId = (rows[0]?.version ?? 0) >= 180_000 ? "uuidv7()" : "gen_random_uuid()";
  await database.pool.query(`
    create schema peer;
    create table peer.accounts (
      id bigint primary key,
      balance bigint not null check (balance >= 0)
    ) with (fillfactor = 50);
    create table peer.transfers (
      id uuid primary key,
      debit_account bigint not null,
      credit_account bigint not null,
      amount bigint not null check (amount > 0),
      created_at timestamptz not null default now()
    );
    insert into peer.accounts select id, 1000000000000 from generate_series(1, ${accounts}) as id;
    create function peer.new_id() returns uuid language sql volatile as 'select ${newId}';
    create function peer.transfer(
      transfer_id uuid, debit bigint, credit bigint, moved bigint
    ) returns boolean language plpgsql as $$
    declare
      found_balance bigint;
    begin
      insert into peer.transfers (id, debit_account, credit_account, amount)
        values (transfer_id, debit, credit, moved) on conflict (id) do nothing;
      if not found then
        return false;
      end if;
      perform from peer.accounts where id = least(debit, credit) for no key update;
      perform from peer.accounts where id = greatest(debit, credit) for no key update;
      select balance into found_balance from peer.accounts where id = debit;
      if found_balance < moved then
        raise exception 'account % has %, not %', debit, found_balance, moved;
      end if;
      update peer.accounts set balance = balance - moved where id = debit;
      update peer.accounts set balance = balance + moved where id = credit;
      return true;
    end
    $$;
  `);
  await database.pool.query("vacuum analyze peer.accounts");
}

/** Stores so many more transfers in one go, with balances that agree. */
export async function fillPeer(
  database: BenchDatabase,
  { accounts, transfers }: { readonly accounts: number; readonly transfers: number },
): Promise<void> {
  await database.pool.query(`
    with drawn as (
      insert into peer.transfers (id, debit_account, credit_account, amount)
      select peer.new_id(), debit, 1 + (debit + floor(random() * ${accounts - 1})::int) % ${accounts}, 1
      from (
        select 1 + floor(random() * ${accounts})::bigint as debit
        from generate_series(1, ${transfers})
      ) as payers
      returning debit_account, credit_account, amount
    ), sums as (
      select id, sum(amount) as change from (
        select debit_account as id, -amount as amount from drawn
        union all select credit_account, amount from drawn
      ) as sides group by id
    )
    update peer.accounts as account set balance = balance + change
    from sums where sums.id = account.id
  `);
  await database.pool.query("vacuum analyze peer.transfers");
  await database.pool.query("vacuum analyze peer.accounts");
}

/** Runs pgbench. `hot`: account 1 is a party of every transfer, as often payer as payee. */
export async function runPeer(
  database: BenchDatabase,
  options: {
    readonly accounts: number;
    readonly hot: boolean;
    readonly clients: number;
    readonly seconds: number;
    readonly signal: AbortSignal;
  },
): Promise<PeerRun> {
  const { clients, seconds, signal } = options;
  await database.checkpoint();
  const folder = await mkdtemp(join(tmpdir(), "bourse-peer-"));
  try {
    const script = join(folder, "transfer.sql");
    await writeFile(script, peerScript(options));
    const url = new URL(database.url);
    const password = decodeURIComponent(url.password);
    url.password = "";
    const jobs = Math.min(clients, availableParallelism());
    const flags = ["-n", "-M", "prepared", "-c", `${clients}`, "-j", `${jobs}`, "-T", `${seconds}`];
    const { stdout } = await promisify(execFile)(
      await findPgbench(),
      [...flags, "-f", script, url.href],
      {
        signal,
        timeout: (seconds + MARGIN_S) * 1_000,
        env: { ...process.env, PGPASSWORD: password },
      },
    );
    return readPgbench(stdout);
  } finally {
    await rm(folder, { recursive: true });
  }
}

/** The script that each client of pgbench runs over and over. */
export function peerScript(options: { readonly accounts: number; readonly hot: boolean }): string {
  const { accounts, hot } = options;
  return [
    hot ? "\\set one 1" : `\\set one random(1, ${accounts})`,
    `\\set other 1 + (:one + random(0, ${accounts - 2})) % ${accounts}`,
    "\\set pays random(0, 1)",
    "\\set debit case when :pays = 1 then :one else :other end",
    "\\set credit case when :pays = 1 then :other else :one end",
    "\\set amount random(1, 1000)",
    "select peer.transfer(peer.new_id(), :debit, :credit, :amount);",
    "",
  ].join("\n");
}

/**
 * Reads what pgbench prints at its end.
 * @throws BenchFailure when that is not a whole report
 */
export function readPgbench(output: string): PeerRun {
  const number = (pattern: RegExp): number => {
    const text = pattern.exec(output)?.[1];
    if (text === undefined) throw new BenchFailure(`pgbench said something else:\n${output}`);
    return Number(text);
  };
  return {
    transfers: number(/^number of transactions actually processed: (\d+)/m),
    perSecond: number(/^tps = ([\d.]+) \(without initial connection time\)/m),
    averageMs: number(/^latency average = ([\d.]+) ms/m),
  };
}

/**
 * pgbench from the PATH, or else the newest that Debian has put elsewhere.
 * @throws BenchFailure that tells how to get it
 */
export async function findPgbench(): Promise<string> {
  const debian = "/usr/lib/postgresql";
  const versions = namesIn(debian).sort((a, b) => Number(b) - Number(a));
  const places = ["pgbench", ...versions.map((version) => join(debian, version, "bin/pgbench"))];
  for (const place of places) {
    const found = await pgbenchVersion(place).then(
      () => true,
      (error: ExecFileException) => error.code !== "ENOENT",
    );
    if (found) return place;
  }
  throw new BenchFailure(
    "no pgbench, which the ledger is measured beside: " +
      "apt-get install postgresql (Debian), brew install postgresql@18 (macOS)",
  );
}

/** What `pgbench --version` says. */
export async function pgbenchVersion(place: string): Promise<string> {
  return (await promisify(execFile)(place, ["--version"])).stdout.trim();
}

function namesIn(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}
