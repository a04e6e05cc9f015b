import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { allTold, dumpState } from "../support/books.ts";
import { startTestMarket, type TestMarket } from "../support/market.ts";
import { refusal } from "../support/refusal.ts";
import { accountRows } from "./bad-input/accounts.ts";
import { bidRows } from "./bad-input/bids.ts";
import { callerRows } from "./bad-input/callers.ts";
import { deliveryRows } from "./bad-input/deliveries.ts";
import { discoveryRows } from "./bad-input/discovery.ts";
import { ledgerRows } from "./bad-input/ledger.ts";
import { registrations } from "./bad-input/registration.ts";
import { registryRows } from "./bad-input/registry.ts";
import { reputationRows } from "./bad-input/reputation.ts";
import { statementRows } from "./bad-input/statements.ts";
import { taskRows } from "./bad-input/tasks.ts";
import { makeWorld, type Row, type World } from "./bad-input/world.ts";

let market: TestMarket;
let world: World;

beforeAll(async () => {
  market = await startTestMarket();
  world = await makeWorld(market);
});
afterAll(() => market?.[Symbol.asyncDispose]());

/** Every row of every table, but for the tables that may change. */
async function stateBut(leaves: readonly string[] = []) {
  await allTold(market);
  const tables = Object.entries(await dumpState(market.pool));
  return Object.fromEntries(tables.filter(([name]) => !leaves.includes(name)));
}

const TABLE: readonly (readonly [string, readonly Row[]])[] = [
  ["a caller", callerRows],
  ["the registry of agents", [...registrations, ...registryRows]],
  ["the registry of presence and reputation", reputationRows],
  ["the auction of tasks", taskRows],
  ["the auction of bids", bidRows],
  ["the auction of deliveries", deliveryRows],
  ["the ledger of transactions", ledgerRows],
  ["the ledger of accounts, disputes and events", accountRows],
  ["statements of the ledger", statementRows],
  ["discovery", discoveryRows],
];

describe.each(TABLE)("bad input to %s", (_where, rows) => {
  test.each(rows)("$title is refused with $reason and changes nothing", async (row) => {
    const before = await stateBut(row.leaves);

    const refused = await refusal(row.call(world));

    expect(refused).toMatchObject({ code: row.code, reason: row.reason });
    if (row.field !== undefined) expect(refused.fields).toContain(row.field);
    expect(await stateBut(row.leaves)).toEqual(before);
  });
});
