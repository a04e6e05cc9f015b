import { randomBytes } from "node:crypto";
import { keepTidy, type Pool, startRelay } from "@bourse/postgres";
import { createFeed } from "@bourse/postgres/feed";
import { AuctionService } from "@bourse/proto/bourse/auction/v1/auction_service_pb.ts";
import { type Binding, bind } from "@bourse/rpc";
import { measureOutbox } from "@bourse/service/outbox";
import type { Logger, Metrics } from "@bourse/telemetry";
import { type AgentSource, createAgentBook } from "./agent-book.ts";
import { createAwarder } from "./awarder.ts";
import { createCourier, isFinal, type Peers } from "./courier.ts";
import { startDueLoop } from "./due-loop.ts";
import { createJournal } from "./journal.ts";
import { createMover } from "./mover.ts";
import { createEraser } from "./postgres/erasure.ts";
import { createStore, readChanges, type Written } from "./postgres.ts";
import { auctionService } from "./service.ts";

/** The auction on a database: its handlers, and what works behind them until it is disposed. */
export interface Market extends AsyncDisposable {
  readonly binding: Binding;
}

/** What a market is opened with. */
export interface MarketOptions {
  /** Migrated, its search path set. */
  readonly pool: Pool;
  readonly peers: Peers;
  readonly roster: AgentSource;
  readonly logger: Logger;
  readonly metrics: Metrics;
  readonly now: () => Date;
  readonly newId: () => string;
  /** How often to look for what other processes made due; 1,000. */
  readonly pollMs?: number;
  /** How long a watcher hears nothing before it is told so; 5,000. */
  readonly idleMs?: number;
}

const CHANNEL = "auction_tasks";

/** Opens the auction; any number of processes may on one database. */
export function openMarket(options: MarketOptions): Market {
  const { pool, peers, roster, logger, metrics, now, newId, pollMs = 1_000 } = options;
  const onFault = (err: unknown, about: object = {}) =>
    logger.warn({ event: "fault", err, ...about }, "something failed and is tried again");

  const feed = createFeed({ pool, channel: CHANNEL, onFault: (error) => onFault(error) });
  const relay = startRelay({
    pool,
    deliver: createCourier(peers),
    permanent: isFinal,
    pollMs: Math.min(pollMs, 500),
    onError: (message, err) => {
      const { id, kind, key } = message;
      const level = isFinal(err) ? "error" : "warn";
      logger[level]({ event: "not_delivered", err, id, kind, key }, "a message was not delivered");
    },
    onFault: (error) => onFault(error),
  });
  const store = createStore(pool, ({ isVisible, isTold, dueTime }: Written) => {
    if (isVisible) feed.touch();
    if (isTold) relay.poke();
    if (dueTime !== undefined) loop.expect(dueTime);
  });
  const journal = createJournal({ logger, metrics, store });
  const mover = createMover({ store, journal, now });
  const award = createAwarder({
    mover,
    store,
    ledger: peers.ledger,
    now,
    onFault: (task, error) => onFault(error, { task_id: task.taskId, epoch: task.epoch }),
  });
  const loop = startDueLoop({
    store,
    mover,
    award,
    now,
    pollMs,
    onFault: (error, taskId) => onFault(error, { task_id: taskId }),
  });
  const upkeep = keepTidy({ pool, onFault });
  measureOutbox(metrics, relay);

  const book = createAgentBook(roster, peers.registry);
  const newSuffix = () => randomBytes(4).toString("hex");
  const idleMs = options.idleMs ?? 5_000;
  const eraser = createEraser(pool, () => feed.touch());
  const parts = {
    eraser,
    store,
    mover,
    award,
    book,
    journal,
    feed,
    readChanges,
    now,
    newId,
    newSuffix,
  };
  return {
    binding: bind(AuctionService, auctionService({ ...parts, idleMs })),
    async [Symbol.asyncDispose]() {
      await upkeep[Symbol.asyncDispose]();
      await loop[Symbol.asyncDispose]();
      await relay[Symbol.asyncDispose]();
      await feed[Symbol.asyncDispose]();
    },
  };
}
