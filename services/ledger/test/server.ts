import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createGuard, createSigner, generateKeys } from "@bourse/access";
import type { TestDatabase } from "@bourse/postgres/testing";
import { LedgerService } from "@bourse/proto/bourse/ledger/v1/ledger_service_pb.ts";
import { LineageService } from "@bourse/proto/bourse/ledger/v1/lineage_service_pb.ts";
import { bind, type Channel, client, dial, type FinishedCall, serve } from "@bourse/rpc";
import type { Happening } from "../src/books.ts";
import { lineageService } from "../src/lineage-service.ts";
import { noteWriter } from "../src/note.ts";
import { createStatementStore } from "../src/postgres/statements.ts";
import { createQueue } from "../src/queue.ts";
import { codes } from "../src/rejections.ts";
import { ledgerService } from "../src/service.ts";
import { WINDOWS } from "../src/windows.ts";
import { openDatabase, openStores } from "./books.ts";
import { CENT_RAIL, RAIL } from "./x402/vectors.ts";

/** A served ledger over a database of its own. */
export interface TestLedger extends AsyncDisposable {
  /** The file with the key that signs tokens and checkpoints. */
  readonly keyFile: string;
  readonly database: TestDatabase;
  readonly happenings: Happening[];
  readonly finished: FinishedCall[];
  /**
   * Clients of both contracts that call as a principal such as `agent:ann`; none without a token.
   */
  as(principal?: string): {
    readonly ledger: ReturnType<typeof client<typeof LedgerService>>;
    readonly lineage: ReturnType<typeof client<typeof LineageService>>;
  };
}

/** Who answers for the processing of personal data, in reports. */
export const CONTROLLER = "Analytical Engines <Ltd>, dpo";

/** Starts a ledger on a free port. */
export async function startLedger(
  options: { readonly queueMax?: number; readonly now?: () => Date } = {},
): Promise<TestLedger> {
  const { queueMax = 10_000, now = () => new Date() } = options;
  const directory = await mkdtemp(join(tmpdir(), "bourse-ledger-"));
  const { keyFile, jwksFile } = await generateKeys(directory);
  const signer = await createSigner({ keyFile });
  const note = await noteWriter(keyFile);
  const database = await openDatabase();
  const { ledger: store, lineage, log } = openStores(database, now);
  const statements = createStatementStore({ pool: database.pool, summaryPool: database.pool });
  const happenings: Happening[] = [];
  const finished: FinishedCall[] = [];
  const tell = (told: readonly Happening[]) => {
    happenings.push(...told);
  };
  const queue = createQueue({ store, tell, batchMax: 500, queueMax, lanes: 2 });
  const submit = queue.submit.bind(queue);
  const server = await serve({
    listen: "127.0.0.1:0",
    domain: "bourse.ledger",
    bindings: [
      bind(
        LedgerService,
        ledgerService({
          store,
          statements,
          submit,
          tell,
          windows: WINDOWS,
          rails: [RAIL, CENT_RAIL],
          now,
        }),
      ),
      bind(
        LineageService,
        lineageService({ store: lineage, now, log, note, controller: CONTROLLER }),
      ),
    ],
    codes,
    guard: createGuard({ jwksFile }),
    onFinished: (call) => finished.push(call),
    drainMs: 500,
  });
  const channels: Channel[] = [];
  return {
    keyFile,
    database,
    happenings,
    finished,
    as(principal) {
      const channel = dial({
        address: server.address,
        ...(principal !== undefined && { token: () => signer.mint(principal, 600) }),
      });
      channels.push(channel);
      return { ledger: client(LedgerService, channel), lineage: client(LineageService, channel) };
    },
    async [Symbol.asyncDispose]() {
      for (const channel of channels) await channel[Symbol.asyncDispose]();
      await server.drain();
      await queue[Symbol.asyncDispose]();
      await database[Symbol.asyncDispose]();
      await rm(directory, { recursive: true });
    },
  };
}
