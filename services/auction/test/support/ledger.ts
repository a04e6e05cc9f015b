import { TransactionState } from "@bourse/proto/bourse/ledger/v1/ledger_pb.ts";
import {
  LedgerService,
  type RecordDeliveryRequest,
  type RecordTransactionRequest,
} from "@bourse/proto/bourse/ledger/v1/ledger_service_pb.ts";
import {
  LineageService,
  type NewEvent,
} from "@bourse/proto/bourse/ledger/v1/lineage_service_pb.ts";
import { ErrorInfoSchema } from "@bourse/proto/google/rpc/error_details_pb.ts";
import { Code, ConnectError, createClient, createRouterTransport } from "@connectrpc/connect";

/**
 * What stands between the auction and the ledger: nothing; no road; or a road that loses the
 * answers.
 */
export type Road = "open" | "closed" | "one-way";

/**
 * TEST PEER, not the ledger: it keeps in memory what the auction relies on. It really holds,
 * refuses, burns ids, settles once and remembers by id; it has no books, no disputes and no
 * history.
 */
export function startLedger() {
  const available = new Map<string, bigint>();
  const earned = new Map<string, bigint>();
  const holds = new Map<string, Hold>();
  const burnt = new Set<string>();
  const credits = new Map<string, { readonly agentId: string; readonly micros: bigint }>();
  const events = new Map<string, NewEvent>();
  const calls: string[] = [];
  let road: Road = "open";

  /** Runs a call as the road lets it. */
  function travel<T>(name: string, work: () => T): T {
    calls.push(name);
    if (road === "closed") throw new ConnectError("no road", Code.Unavailable);
    try {
      return work();
    } finally {
      // biome-ignore lint/correctness/noUnsafeFinally: whatever the answer was, it is lost.
      if (road === "one-way") throw new ConnectError("the answer was lost", Code.Unavailable);
    }
  }

  function record(request: RecordTransactionRequest) {
    const { transactionId, payer, provider, amount } = request;
    const micros = amount?.micros ?? 0n;
    const account = `${payer} ${amount?.currencyCode}`;
    const known = holds.get(transactionId);
    if (known !== undefined) {
      if (known.micros !== micros || known.provider !== provider)
        throw refused("TRANSACTION_ID_REUSED");
      return { transaction: { transactionId, state: known.state } };
    }
    if (burnt.has(transactionId)) throw refused("TRANSACTION_ID_BURNT");
    const left = (available.get(account) ?? 0n) - micros;
    if (left < 0n) {
      burnt.add(transactionId);
      throw refused("INSUFFICIENT_FUNDS");
    }
    available.set(account, left);
    const { holdTimeout, delivery } = request;
    const state = TransactionState.PENDING;
    holds.set(transactionId, { payer: account, provider, micros, state, holdTimeout, delivery });
    return { transaction: { transactionId, state: TransactionState.PENDING } };
  }

  function deliver(request: RecordDeliveryRequest) {
    const hold = holds.get(request.transactionId);
    if (hold === undefined) throw refused("TRANSACTION_NOT_FOUND", Code.NotFound);
    if (hold.state !== TransactionState.PENDING) throw refused("INVALID_TRANSACTION_STATE");
    hold.delivered = request;
    return {};
  }

  function end(transactionId: string, state: TransactionState) {
    const hold = holds.get(transactionId);
    if (hold === undefined) throw refused("TRANSACTION_NOT_FOUND", Code.NotFound);
    if (hold.state === TransactionState.PENDING) {
      hold.state = state;
      const [accounts, owner] =
        state === TransactionState.SETTLED ? [earned, hold.provider] : [available, hold.payer];
      accounts.set(owner, (accounts.get(owner) ?? 0n) + hold.micros);
    }
    if (hold.state !== state) throw refused("INVALID_TRANSACTION_STATE");
    return { transaction: { transactionId, state } };
  }

  const transport = createRouterTransport(({ service }) => {
    service(LedgerService, {
      recordTransaction: (request) => travel("record", () => record(request)),
      settleTransaction: ({ transactionId }) =>
        travel("settle", () => end(transactionId, TransactionState.SETTLED)),
      cancelTransaction: ({ transactionId }) =>
        travel("cancel", () => end(transactionId, TransactionState.CANCELLED)),
      recordDelivery: (request) => travel("deliver", () => deliver(request)),
      postCredits: ({ creditId, agentId, amount }) =>
        travel("credits", () => {
          credits.set(creditId, { agentId, micros: amount?.micros ?? 0n });
          return {};
        }),
    });
    service(LineageService, {
      appendEvents: (request) =>
        travel("append", () => {
          for (const event of request.events) {
            if (!events.has(event.eventId)) events.set(event.eventId, event);
          }
          return { headSequence: BigInt(events.size) };
        }),
    });
  });

  return {
    ledger: createClient(LedgerService, transport),
    lineage: createClient(LineageService, transport),
    /** Gives an agent euros to spend. */
    fund(owner: string, micros: bigint) {
      available.set(`${owner} EUR`, (available.get(`${owner} EUR`) ?? 0n) + micros);
    },
    setRoad(next: Road) {
      road = next;
    },
    available: (owner: string) => available.get(`${owner} EUR`) ?? 0n,
    earned: (agentId: string) => earned.get(agentId) ?? 0n,
    /** Cancels a hold over everybody's head, as an operator can. */
    cancel: (transactionId: string) => end(transactionId, TransactionState.CANCELLED),
    held: () =>
      [...holds.values()]
        .filter((hold) => hold.state === TransactionState.PENDING)
        .reduce((sum, hold) => sum + hold.micros, 0n),
    holds,
    credits,
    events,
    calls,
  };
}

interface Hold {
  readonly payer: string;
  readonly provider: string;
  readonly micros: bigint;
  state: TransactionState;
  readonly holdTimeout?: RecordTransactionRequest["holdTimeout"];
  readonly delivery?: RecordTransactionRequest["delivery"];
  delivered?: RecordDeliveryRequest;
}

function refused(reason: string, code = Code.FailedPrecondition): ConnectError {
  const detail = { desc: ErrorInfoSchema, value: { reason, domain: "bourse.ledger" } };
  return new ConnectError(reason, code, undefined, [detail]);
}
