import { randomUUIDv7 } from "node:crypto";
import { createPool, migrate } from "@bourse/postgres";
import { AuctionService } from "@bourse/proto/bourse/auction/v1/auction_service_pb.ts";
import { LedgerService } from "@bourse/proto/bourse/ledger/v1/ledger_service_pb.ts";
import { LineageService } from "@bourse/proto/bourse/ledger/v1/lineage_service_pb.ts";
import { RegistryService } from "@bourse/proto/bourse/registry/v1/registry_service_pb.ts";
import { createRoster } from "@bourse/roster";
import { client, dial } from "@bourse/rpc";
import { readConfig, run } from "@bourse/service";
import { autoBidFor } from "./agent-book.ts";
import { variables } from "./config.ts";
import { openMarket } from "./market.ts";
import { CODES } from "./rejections.ts";

const config = readConfig(variables, process.env);
const schema = "auction";
const directory = new URL("../migrations/", import.meta.url);
const pool = createPool(config.DATABASE_URL, { schema, max: 20 });

await run({
  name: "auction",
  domain: "bourse.auction",
  config,
  services: [AuctionService],
  migrate: () => migrate(pool, { schema, directory }),
  async build({ logger, metrics, now, token, defer }) {
    const ledger = defer(dial({ address: config.BOURSE_LEDGER_ADDRESS, token }));
    const registry = defer(dial({ address: config.BOURSE_REGISTRY_ADDRESS, token }));
    const onError = (err: unknown) => logger.warn({ event: "roster", err }, "the roster is behind");
    const roster = defer(createRoster({ channel: registry, now, listed: autoBidFor, onError }));
    const market = defer(
      openMarket({
        pool,
        peers: {
          ledger: client(LedgerService, ledger),
          lineage: client(LineageService, ledger),
          registry: client(RegistryService, registry),
        },
        roster,
        logger,
        metrics,
        now,
        newId: randomUUIDv7,
      }),
    );
    return { bindings: [market.binding], codes: CODES };
  },
});
await pool.end();
