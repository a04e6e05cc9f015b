import "../../src/garbage.ts";
import { randomBytes, randomUUIDv7 } from "node:crypto";
import { createPool, migrate } from "@bourse/postgres";
import type { Answer } from "../../src/books.ts";
import type { Command, RecordCommand } from "../../src/command.ts";
import { variables } from "../../src/config.ts";
import { createIds } from "../../src/ids.ts";
import { createLedgerStore, createLineageStore, createWriters } from "../../src/postgres.ts";
import { createQueue } from "../../src/queue.ts";
import { WINDOWS } from "../../src/windows.ts";
import type { Deed, Timed } from "./load.ts";
import { CURRENCY, drawTrade, FUNDS_MICROS, ownerOf, type Parties } from "./parties.ts";

/** Who records and settles here. */
const CALLER = { kind: "service", id: "bench" } as const;

/** The ledger's own store and queue, without a network in front. */
export interface Books extends AsyncDisposable {
  /** Holds `parcel` trades in one call and settles them in another: two movements each. */
  readonly lifecycle: (parties: Parties, parcel?: number) => Deed;
  /** Pays into the accounts from the first on, in turn. */
  readonly deposit: () => Deed;
  /** What Verify and VerifyChain find. */
  verify(): Promise<{ readonly movements: number; readonly divergences: readonly string[] }>;
}

/**
 * Opens the books in the schema `ledger` of a database, which is migrated first. The queue has the
 * limits that a ledger has when nothing is configured.
 */
export async function openBooks(databaseUrl: string): Promise<Books> {
  const schema = "ledger";
  const pool = createPool(databaseUrl, { schema });
  await migrate(pool, { schema, directory: new URL("../../migrations/", import.meta.url) });
  const newPseudonym = () => `p-${randomBytes(16).toString("hex")}`;
  const writers = createWriters(databaseUrl, schema);
  const outside = { pool, writers, now: () => new Date(), newId: createIds(), newPseudonym };
  const store = createLedgerStore(outside);
  const lineage = createLineageStore(outside);
  const queue = createQueue({
    store,
    tell: () => {},
    batchMax: variables.BOURSE_LEDGER_BATCH_MAX.parse(undefined),
    queueMax: variables.BOURSE_LEDGER_QUEUE_MAX.parse(undefined),
    lanes: variables.BOURSE_LEDGER_LANES.parse(undefined),
  });
  const call = (timed: Timed, commands: readonly Command[]) =>
    timed(commands.length, async () => (await queue.submit(commands)).forEach(requireGranted));
  return {
    lifecycle:
      (parties, parcel = 1) =>
      async (timed) => {
        const records = Array.from({ length: parcel }, () => drawRecord(parties));
        await call(timed, records);
        await call(timed, records.map(settleOf));
      },
    deposit() {
      let next = 0;
      return async (timed) => {
        const owner = ownerOf(next);
        next += 1;
        const amount = { micros: FUNDS_MICROS, currency: CURRENCY };
        const what = {
          transfer: "DEPOSIT",
          id: `fund-${owner}`,
          owner,
          amount,
          taskId: "",
        } as const;
        await call(timed, [{ kind: "transfer", ...what }]);
      };
    },
    async verify() {
      const { movements, divergences } = await store.verify({ divergencesMax: 10 });
      const { broken } = await lineage.verifyChain({});
      const told = divergences.map(({ check, subject }) => `${check} ${subject}`);
      const chain = broken === undefined ? [] : [`the chain breaks at batch ${broken.sequence}`];
      return { movements: Number(movements), divergences: [...told, ...chain] };
    },
    async [Symbol.asyncDispose]() {
      await queue[Symbol.asyncDispose]();
      await Promise.all([pool.end(), writers[Symbol.asyncDispose]()]);
    },
  };
}

function drawRecord(parties: Parties): RecordCommand {
  const { payer, provider, micros } = drawTrade(parties, Math.random);
  return {
    kind: "record",
    terms: {
      id: randomUUIDv7(),
      payer,
      provider,
      capability: "bench",
      amount: { micros, currency: CURRENCY },
      context: undefined,
      recorder: "service:bench",
      groupId: undefined,
      holdMs: WINDOWS.holdMs,
      delivery: undefined,
      arbitration: undefined,
    },
  };
}

function settleOf({ terms: { id } }: RecordCommand): Command {
  return { kind: "settle", id, amount: undefined, caller: CALLER };
}

/** @throws what a command was refused with */
function requireGranted(answer: Answer): void {
  if (answer.kind === "refused") throw answer.refusal;
}
