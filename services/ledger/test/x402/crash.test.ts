import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { generateKeys } from "@bourse/access";
import { expect, test, vi } from "vitest";
import { available } from "../../src/account.ts";
import type { LedgerStore } from "../../src/store.ts";
import { depositOf, openDatabase, openStores } from "../books.ts";
import { startLedger } from "./process.ts";
import { RAIL, requestOf, type Wallet, type WireRequest, walletOf } from "./vectors.ts";

const PAYMENTS = 60;
/** After so many answers, the process that gave the last of them is killed. */
const KILLED_AT = new Set([5, 20, 35, 50]);
/** So many payments are settled by both at the same time. */
const ROUNDS = 100;
const FUNDS = 10_000_000;
const DONE_MS = 60_000;

const NOW_S = BigInt(Math.floor(Date.now() / 1_000));
const WINDOW = { validAfter: NOW_S - 600n, validBefore: NOW_S + 3_600n };

/** Two ledgers in processes of their own, over one database in which a wallet has its funds. */
async function startLedgers() {
  await using started = new AsyncDisposableStack();
  const directory = await mkdtemp(join(tmpdir(), "bourse-x402-"));
  started.defer(() => rm(directory, { recursive: true }));
  const { jwksFile } = await generateKeys(directory);
  const database = started.use(await openDatabase());
  const { ledger: store } = openStores(database);
  const wallet = walletOf();
  const funds = { micros: BigInt(FUNDS), currency: "USDC" };
  await store.commit([depositOf({ owner: wallet.address, amount: funds })]);
  const { chainId, currency, facilitator, ...rail } = RAIL;
  const rails = [{ ...rail, currencyCode: currency, facilitatorAddress: facilitator }];
  const env = {
    DATABASE_URL: database.url,
    BOURSE_JWKS_FILE: jwksFile,
    BOURSE_X402_RAILS: JSON.stringify(rails),
  };
  const ledgers = [
    started.use(await startLedger(env)),
    started.use(await startLedger(env)),
  ] as const;
  const stack = started.move();
  return { ledgers, store, wallet, [Symbol.asyncDispose]: () => stack.disposeAsync() };
}

async function settleAt(url: string, request: WireRequest): Promise<Record<string, unknown>> {
  const response = await fetch(`${url}/settle`, { method: "POST", body: JSON.stringify(request) });
  const answer = (await response.json()) as Record<string, unknown>;
  expect(response.status).toBe(200);
  return answer;
}

/** What the wallet can spend in the end, and what its books contradict. */
async function endOf(store: LedgerStore, wallet: Wallet) {
  const { accounts } = await store.balances(wallet.address, { holdsMax: 10 });
  const { divergences } = await store.verify({ divergencesMax: 10 });
  return { spendable: accounts.map(available), divergences };
}

test("payments are made once each, though two ledgers are killed amid them", async () => {
  await using processes = await startLedgers();
  const { ledgers, store, wallet } = processes;
  const replaced: Promise<void>[] = [];
  let answers = 0;
  async function settle(nth: number): Promise<Record<string, unknown>> {
    const scheme = nth % 3 === 0 ? "upto" : "exact";
    const nonce = nth.toString(16).padStart(64, "0");
    const value = 10_000n + BigInt(nth);
    const request = requestOf(wallet, { ...WINDOW, scheme, nonce, value });
    let tries = nth;
    return vi.waitFor(
      async () => {
        tries += 1;
        const ledger = ledgers[tries % 2] ?? ledgers[0];
        const answer = await settleAt(ledger.url, request);
        answers += 1;
        if (KILLED_AT.has(answers)) replaced.push(ledger.replace());
        return answer;
      },
      { timeout: DONE_MS, interval: 20 },
    );
  }
  const all = Array.from({ length: PAYMENTS }, (_, nth) => nth);
  const first = await Promise.all(all.map(settle));
  await Promise.all(replaced);

  expect(replaced.length).toBe(KILLED_AT.size);
  expect(first.filter(({ success }) => success !== true)).toEqual([]);
  const again = await Promise.all(all.map(settle));
  expect(again).toEqual(first);
  const spent = all.reduce((sum, nth) => sum + 10_000 + nth, 0);
  expect(await endOf(store, wallet)).toEqual({
    spendable: [BigInt(FUNDS - spent)],
    divergences: [],
  });
});

test("a payment that two ledgers settle at once is made once and answered alike by both", async () => {
  await using processes = await startLedgers();
  const { ledgers, store, wallet } = processes;

  for (let nth = 0; nth < ROUNDS; nth += 1) {
    const nonce = nth.toString(16).padStart(64, "0");
    const request = requestOf(wallet, { ...WINDOW, nonce });

    const [one, other] = await Promise.all(ledgers.map(({ url }) => settleAt(url, request)));

    expect(one).toMatchObject({ success: true, payer: wallet.address, amount: "10000" });
    expect(other).toEqual(one);
  }
  expect(await endOf(store, wallet)).toEqual({
    spendable: [BigInt(FUNDS - ROUNDS * 10_000)],
    divergences: [],
  });
});
