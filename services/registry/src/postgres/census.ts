import type { Tx } from "@bourse/postgres";
import type { CapabilityCounts, Census } from "../store.ts";

/** How many registered agents have each capability, most first. */
export async function selectCapabilityCounts(tx: Tx): Promise<CapabilityCounts> {
  const { rows } = await tx.query<{ capability: string | null; agents: string; total: string }>(
    `with registered as (select capabilities from agents where unregistered_at is null),
       counted as (
         select capability, count(*) as agents
         from registered, unnest(capabilities) capability
         group by capability
       )
     select capability, agents, total
     from (select count(*) as total from registered) totals
     left join counted on true
     order by agents desc, capability collate "C"`,
  );
  return {
    capabilities: rows.flatMap(({ capability, agents }) =>
      capability === null ? [] : [{ capability, agents: BigInt(agents) }],
    ),
    total: BigInt(rows[0]?.total ?? 0),
  };
}

/** Registered agents, by id. */
export async function selectRegistered(
  tx: Tx,
  after: string,
  limit: number,
): Promise<readonly string[]> {
  const { rows } = await tx.query<{ id: string }>(
    `select id from agents
     where unregistered_at is null and id > $1
     order by id
     limit $2`,
    [after, limit],
  );
  return rows.map((row) => row.id);
}

/** The registered agents in numbers. */
export async function selectCensus(tx: Tx): Promise<Census> {
  const { rows } = await tx.query<{
    registered: string;
    online_without_lease: string;
    leased_else: readonly string[];
    mean_score: number;
  }>(
    `select count(*) as registered,
       count(*) filter (where declared_state = 'ONLINE' and lease_ms is null)
         as online_without_lease,
       coalesce(
         array_agg(id) filter (where declared_state <> 'ONLINE' and lease_ms is not null), '{}'
       ) as leased_else,
       coalesce(avg((reputation ->> 'score_ppm')::float8), 0) / 1e6 as mean_score
     from agents
     where unregistered_at is null`,
  );
  const [row] = rows;
  return {
    registered: Number(row?.registered ?? 0),
    onlineWithoutLease: Number(row?.online_without_lease ?? 0),
    leasedElseIds: row?.leased_else ?? [],
    meanScore: row?.mean_score ?? 0,
  };
}
