import "./garbage.ts";
import { createPool, keepPartitions, keepTidy, migrate } from "@bourse/postgres";
import { LedgerService } from "@bourse/proto/bourse/ledger/v1/ledger_service_pb.ts";
import { LineageService } from "@bourse/proto/bourse/ledger/v1/lineage_service_pb.ts";
import { bind } from "@bourse/rpc";
import { readConfig, run } from "@bourse/service";
import { limitsOf, variables, windowsOf } from "./config.ts";
import { startDueLoop } from "./due-loop.ts";
import { ledgerEvents, tellAll } from "./events.ts";
import { createIds, newPseudonym } from "./ids.ts";
import { lineageService } from "./lineage-service.ts";
import { countRoads, ledgerMetrics } from "./metrics.ts";
import { openRecord } from "./open-record.ts";
import { openStatements } from "./open-statements.ts";
import { createPaymentStore } from "./postgres/payments.ts";
import { createLedgerStore, createWriters, MOVEMENT_TABLES } from "./postgres.ts";
import { createQueue } from "./queue.ts";
import { codes } from "./rejections.ts";
import { ledgerService } from "./service.ts";
import { openFacilitator } from "./x402/open.ts";

const config = readConfig(variables, process.env);
const schema = "ledger";
const pool = createPool(config.DATABASE_URL, { schema });
const writers = createWriters(config.DATABASE_URL, schema);

await run({
  name: "ledger",
  domain: "bourse.ledger",
  config,
  services: [LedgerService, LineageService],
  migrate: () => migrate(pool, { schema, directory: new URL("../migrations/", import.meta.url) }),
  async build(context) {
    const { logger, metrics, now, defer } = context;
    const warn = (what: string) => (err: unknown) => logger.warn({ event: "fault", err }, what);
    defer(keepTidy({ pool, onFault: warn("requests stay for now") }));
    const onFault = warn("movements of the months to come have no partition yet");
    for (const table of MOVEMENT_TABLES) defer(await keepPartitions({ pool, table, now, onFault }));
    const onRoad = countRoads(metrics);
    const outside = { pool, writers, now, newId: createIds(), newPseudonym, onRoad };
    const store = createLedgerStore(outside);
    const statements = openStatements(context, config, schema);
    const { count, countBatch: onBatch } = ledgerMetrics(metrics, store, () => queue.waiting);
    const tell = tellAll(ledgerEvents(logger), count);
    const queue = defer(createQueue({ store, tell, ...limitsOf(config), onBatch }));
    const { submit } = queue;
    defer(startDueLoop({ store, submit, now, onFault: warn("a rule is late") }));
    await openFacilitator(context, config, { submit, payments: createPaymentStore(pool) });
    const rules = { windows: windowsOf(config), rails: config.BOURSE_X402_RAILS, now };
    const record = await openRecord(context, config, outside);
    return {
      bindings: [
        bind(LedgerService, ledgerService({ store, statements, submit, tell, ...rules })),
        bind(LineageService, lineageService(record)),
      ],
      codes,
    };
  },
});
await Promise.all([pool.end(), writers[Symbol.asyncDispose]()]);
