import type { Account } from "../../src/account.ts";
import type { Command } from "../../src/command.ts";
import { createPaymentStore } from "../../src/postgres/payments.ts";
import { createQueue } from "../../src/queue.ts";
import type { LedgerStore } from "../../src/store.ts";
import { createFacilitator } from "../../src/x402/facilitator.ts";
import { type FinishedRequest, serveFacilitator } from "../../src/x402/http.ts";
import type { Rail } from "../../src/x402/rail.ts";
import { createSignatures } from "../../src/x402/signatures.ts";
import { depositOf, openDatabase, openStores, outcomeOf } from "../books.ts";
import { EXAMPLE_TIME, RAIL } from "./vectors.ts";

/** What the port answered. */
export interface PortAnswer {
  readonly status: number;
  readonly headers: Headers;
  readonly body: Record<string, unknown>;
}

/** A facilitator over books of its own. */
export interface TestPort extends AsyncDisposable {
  readonly url: string;
  readonly store: LedgerStore;
  readonly finished: FinishedRequest[];
  /** Sets the clock; it stands at the time of the specification's example. */
  setTime(now: Date): void;
  post(path: string, body: unknown): Promise<PortAnswer>;
  /** Does a command beside the facilitator; throws when it is refused. */
  submit(command: Command): Promise<void>;
  /** Pays micros of USDC in. */
  deposit(owner: string, micros: number): Promise<void>;
  /** The USDC account of an address; undefined when it has none. */
  account(address: string): Promise<Account | undefined>;
}

/** Serves the facilitator of these rails on a free port. */
export async function startPort(rails: readonly Rail[] = [RAIL]): Promise<TestPort> {
  let time = EXAMPLE_TIME;
  const now = () => time;
  const database = await openDatabase();
  const { ledger: store } = openStores(database, now);
  const queue = createQueue({ store, tell: () => {}, batchMax: 500, queueMax: 10_000, lanes: 2 });
  const signatures = createSignatures({ threads: 1, waitingMax: 1_000 });
  const finished: FinishedRequest[] = [];
  const facilitator = createFacilitator({
    rails,
    signatures,
    submit: queue.submit,
    store: createPaymentStore(database.pool),
    now,
  });
  const port = await serveFacilitator({
    listen: "127.0.0.1:0",
    facilitator,
    onFinished: (request) => finished.push(request),
  });
  const url = `http://${port.address}`;
  const submit = async (command: Command) => {
    const [answer] = await queue.submit([command]);
    if (answer?.kind === "refused") throw new Error(outcomeOf(answer));
  };
  return {
    url,
    store,
    finished,
    setTime: (date) => {
      time = date;
    },
    async post(path, body) {
      const text = typeof body === "string" ? body : JSON.stringify(body);
      const headers = { "content-type": "application/json" };
      const response = await fetch(`${url}${path}`, { method: "POST", headers, body: text });
      const { status } = response;
      return { status, headers: response.headers, body: (await response.json()) as never };
    },
    submit,
    deposit: (owner, micros) =>
      submit(depositOf({ owner, amount: { micros: BigInt(micros), currency: "USDC" } })),
    async account(address) {
      const { accounts } = await store.balances(address.toLowerCase(), { holdsMax: 0 });
      return accounts.find(({ currency }) => currency === "USDC");
    },
    async [Symbol.asyncDispose]() {
      await port[Symbol.asyncDispose]();
      await signatures[Symbol.asyncDispose]();
      await queue[Symbol.asyncDispose]();
      await database[Symbol.asyncDispose]();
    },
  };
}
