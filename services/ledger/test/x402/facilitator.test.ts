import { HTTPFacilitatorClient } from "@x402/core/http";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { available } from "../../src/account.ts";
import { claimReader } from "../../src/x402/claim.ts";
import { FACILITATOR, paymentId } from "../../src/x402/payments.ts";
import { disputeOf, OPERATOR, recordOf } from "../books.ts";
import { startPort, type TestPort } from "./port.ts";
import {
  authorizationOf,
  EXAMPLE_TIME,
  RAIL,
  requestOf,
  SPEC_REQUEST,
  type Wallet,
  type WireRequest,
  walletOf,
} from "./vectors.ts";

const PAYEE = authorizationOf().to.toLowerCase();
const LATER = new Date(EXAMPLE_TIME.getTime() + 3_600_000);
const OF_EXACT = { ...RAIL, schemes: ["exact"], facilitator: "" } as const;
const OTHER_NETWORK = { ...OF_EXACT, network: "eip155:8453", chainId: 8_453n };
const RAILS = [RAIL, OTHER_NETWORK, { ...OF_EXACT, asset: `0x${"44".repeat(20)}` }];
let port: TestPort;
let wallets = 0;

beforeAll(async () => {
  port = await startPort(RAILS);
});
afterAll(() => port[Symbol.asyncDispose]());

/** A payer that no other test uses, with so many micros. */
async function payerWith(micros: number): Promise<Wallet> {
  wallets += 1;
  const wallet = walletOf(wallets.toString(16).padStart(64, "0"));
  if (micros > 0) await port.deposit(wallet.address, micros);
  return wallet;
}

async function spendable(address: string): Promise<bigint> {
  const account = await port.account(address);
  return account === undefined ? 0n : available(account);
}

function idOf(request: WireRequest): string {
  const read = claimReader([RAIL]).read(request);
  if ("fault" in read) throw new Error(read.fault.code);
  return paymentId(read.claim);
}

describe("a payment", () => {
  test("is verified without a trace, then settled out of the payer's account", async () => {
    const payer = await payerWith(25_000);
    const before = await spendable(PAYEE);
    const request = requestOf(payer);

    const verified = await port.post("/verify", request);
    expect(verified).toMatchObject({ status: 200, body: { isValid: true, payer: payer.address } });
    expect(await spendable(payer.address)).toBe(25_000n);

    const settled = await port.post("/settle", request);
    expect(settled.body).toEqual({
      success: true,
      payer: payer.address,
      transaction: idOf(request),
      network: RAIL.network,
      amount: "10000",
    });
    expect(await spendable(payer.address)).toBe(15_000n);
    expect((await spendable(PAYEE)) - before).toBe(10_000n);
  });

  test("settled again is answered as the first time, also after its window", async () => {
    const payer = await payerWith(25_000);
    const request = requestOf(payer);
    const first = await port.post("/settle", request);

    expect((await port.post("/settle", request)).body).toEqual(first.body);
    port.setTime(LATER);
    try {
      expect((await port.post("/settle", request)).body).toEqual(first.body);
      const late = await port.post("/settle", requestOf(payer, { nonce: "11".repeat(32) }));
      expect(late.body["errorReason"]).toMatch(/valid_before$/);
    } finally {
      port.setTime(EXAMPLE_TIME);
    }
    expect(await spendable(payer.address)).toBe(15_000n);
  });

  test("cannot be verified once it is made, so that nobody serves twice for it", async () => {
    const request = requestOf(await payerWith(25_000));
    await port.post("/settle", request);

    const { body } = await port.post("/verify", request);

    expect(body).toMatchObject({ isValid: false, invalidReason: "invalid_transaction_state" });
  });

  test("is made once when it is settled many times at once", async () => {
    const payer = await payerWith(25_000);
    const request = requestOf(payer);

    const answers = await Promise.all(
      Array.from({ length: 20 }, () => port.post("/settle", request)),
    );

    expect(new Set(answers.map(({ body }) => JSON.stringify(body))).size).toBe(1);
    expect(answers[0]?.body).toMatchObject({ success: true, transaction: idOf(request) });
    expect(await spendable(payer.address)).toBe(15_000n);
  });

  test("of another content cannot use its nonce, and that of another payer can", async () => {
    const payer = await payerWith(25_000);
    const other = await payerWith(25_000);
    await port.post("/settle", requestOf(payer));

    const reused = await port.post("/settle", requestOf(payer, { value: 9_999n }));
    const longer = await port.post("/settle", requestOf(payer, { validBefore: 1_740_672_999n }));
    const others = await port.post("/settle", requestOf(other));

    for (const { body } of [reused, longer]) {
      expect(body).toMatchObject({ success: false, errorReason: "invalid_transaction_state" });
    }
    expect(others.body).toMatchObject({ success: true });
    expect(await spendable(payer.address)).toBe(15_000n);
  });

  test("uses its nonce up on its network and in its asset, and on no other", async () => {
    const payer = await payerWith(40_000);

    for (const rail of RAILS) {
      const made = await port.post("/settle", requestOf(payer, {}, {}, rail));
      const reused = await port.post("/settle", requestOf(payer, { value: 9_999n }, {}, rail));

      expect(made.body).toMatchObject({ success: true, network: rail.network });
      expect(reused.body).toMatchObject({ errorReason: "invalid_transaction_state" });
    }
    expect(await spendable(payer.address)).toBe(10_000n);
  });

  test("that another signed than the payer moves nothing", async () => {
    const payer = await payerWith(25_000);
    const thief = await payerWith(0);

    const { body } = await port.post("/settle", requestOf(thief, { from: payer.address }));

    expect(body).toMatchObject({
      success: false,
      errorReason: "invalid_exact_evm_payload_signature",
      payer: payer.address,
      transaction: "",
    });
    expect(await spendable(payer.address)).toBe(25_000n);
  });

  test("without the money is refused for good, also when the money comes", async () => {
    const payer = await payerWith(9_999);
    const request = requestOf(payer);
    const poor = { errorReason: "insufficient_funds", transaction: "" };

    expect((await port.post("/verify", request)).body["invalidReason"]).toBe("insufficient_funds");
    expect((await port.post("/settle", request)).body).toMatchObject(poor);
    await port.deposit(payer.address, 50_000);
    expect((await port.post("/verify", request)).body["invalidReason"]).toBe("insufficient_funds");
    expect((await port.post("/settle", request)).body).toMatchObject(poor);

    const anew = await port.post("/settle", requestOf(payer, { nonce: "22".repeat(32) }));
    expect(anew.body).toMatchObject({ success: true });
  });

  test("out of a frozen account is refused as one without the money, for good", async () => {
    const payer = await payerWith(25_000);
    const request = requestOf(payer);
    const account = { owner: payer.address, currency: "USDC" };
    const poor = { errorReason: "insufficient_funds", transaction: "" };

    await port.submit({ kind: "status", ...account, status: "FROZEN" });
    expect((await port.post("/verify", request)).body["invalidReason"]).toBe("insufficient_funds");
    expect((await port.post("/settle", request)).body).toMatchObject(poor);
    await port.submit({ kind: "status", ...account, status: "OPEN" });
    expect((await port.post("/settle", request)).body).toMatchObject(poor);
  });

  test("that was only held is settled by the next try, also after its window", async () => {
    const payer = await payerWith(25_000);
    const request = requestOf(payer);
    await port.submit(await heldAs(request));
    expect(await spendable(payer.address)).toBe(15_000n);

    port.setTime(LATER);
    const { body } = await port.post("/settle", request).finally(() => port.setTime(EXAMPLE_TIME));

    expect(body).toMatchObject({ success: true, transaction: idOf(request) });
    expect(await spendable(payer.address)).toBe(15_000n);
  });

  test("stays paid in its answers whatever a dispute makes of it", async () => {
    const payer = await payerWith(25_000);
    const request = requestOf(payer);
    const first = await port.post("/settle", request);
    const id = idOf(request);

    await port.submit({ ...disputeOf(id), caller: OPERATOR });
    expect((await port.post("/settle", request)).body).toEqual(first.body);
    const ruling = { providerShareBps: 0, reason: "undelivered" };
    await port.submit({ kind: "resolve", id, caller: OPERATOR, ...ruling });
    expect((await port.post("/settle", request)).body).toEqual(first.body);
    expect(await spendable(payer.address)).toBe(25_000n);
  });

  test("whose hold was given back is not made", async () => {
    const payer = await payerWith(25_000);
    const request = requestOf(payer);
    await port.submit(await heldAs(request));
    await port.submit({ kind: "cancel", id: idOf(request), caller: FACILITATOR });

    const { body } = await port.post("/settle", request);

    expect(body).toMatchObject({ success: false, errorReason: "invalid_transaction_state" });
  });

  /** What a facilitator that died after the hold had recorded. */
  async function heldAs(request: WireRequest) {
    const twin = requestOf(await payerWith(10_000), { nonce: "33".repeat(32) });
    await port.post("/settle", twin);
    const found = await port.store.findTransaction(idOf(twin), {});
    const read = claimReader([RAIL]).read(request);
    if (found === undefined || "fault" in read) throw new Error("no payment to copy");
    const { capability, context, recorder, holdMs } = found.transaction;
    const { authorization, digest } = read.claim;
    return recordOf({
      id: idOf(request),
      payer: authorization.from.toLowerCase(),
      provider: PAYEE,
      capability,
      recorder,
      holdMs,
      amount: { micros: authorization.value, currency: "USDC" },
      context: { ...context, digest: `0x${Buffer.from(digest).toString("hex")}` },
    });
  }
});

describe("a payment of upto", () => {
  test.each([
    ["10000", 15_000n],
    ["1858", 23_142n],
    ["1", 24_999n],
  ])("is settled for the %s that is asked of 10000", async (amount, left) => {
    const payer = await payerWith(25_000);
    const request = requestOf(payer, { scheme: "upto" }, { amount });

    const { body } = await port.post("/settle", request);

    expect(body).toMatchObject({ success: true, amount, transaction: idOf(request) });
    expect(await spendable(payer.address)).toBe(left);
  });

  test("of nothing uses the nonce up and leaves the money", async () => {
    for (const micros of [25_000, 0]) {
      const payer = await payerWith(micros);
      const nothing = requestOf(payer, { scheme: "upto" }, { amount: "0" });

      const answers = [await port.post("/settle", nothing), await port.post("/settle", nothing)];
      const more = await port.post("/settle", requestOf(payer, { scheme: "upto" }));

      for (const { body } of answers) {
        expect(body).toMatchObject({ success: true, amount: "0", transaction: "" });
      }
      expect(more.body).toMatchObject({ errorReason: "invalid_transaction_state" });
      expect(await spendable(payer.address)).toBe(BigInt(micros));
    }
  });

  test("is settled once, for the amount of the first time", async () => {
    const payer = await payerWith(25_000);
    const asked = (amount: string) => requestOf(payer, { scheme: "upto" }, { amount });

    const first = await port.post("/settle", asked("300"));
    const other = await port.post("/settle", asked("301"));
    const again = await port.post("/settle", asked("300"));

    expect(other.body).toMatchObject({ errorReason: "invalid_transaction_state" });
    expect(again.body).toEqual(first.body);
    expect(await spendable(payer.address)).toBe(24_700n);
  });

  test("is settled once at most and never for more, whatever is asked at once", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.integer({ min: 0, max: 12_000 }), { minLength: 1, maxLength: 8 }),
        async (amounts) => {
          const payer = await payerWith(11_000);
          const answers = await Promise.all(
            amounts.map((amount) =>
              port.post(
                "/settle",
                requestOf(payer, { scheme: "upto" }, { amount: String(amount) }),
              ),
            ),
          );
          const made = answers.filter(({ body }) => body["success"] === true);
          const paid = new Set(made.map(({ body }) => body["amount"]));
          expect(paid.size).toBe(amounts.some((amount) => amount <= 10_000) ? 1 : 0);
          expect(await spendable(payer.address)).toBe(11_000n - BigInt([...paid].join("") || 0));
        },
      ),
      { numRuns: 15 },
    );
  });
});

test("the specification's example is valid and paid in its window, not a second after it", async () => {
  const { from, validBefore } = SPEC_REQUEST.paymentPayload.payload.authorization;
  await port.deposit(from.toLowerCase(), 10_000);

  port.setTime(new Date((Number(validBefore) + 1) * 1_000));
  const late = await port.post("/verify", SPEC_REQUEST).finally(() => port.setTime(EXAMPLE_TIME));
  const verified = await port.post("/verify", SPEC_REQUEST);
  const settled = await port.post("/settle", SPEC_REQUEST);

  const invalidReason = "invalid_exact_evm_payload_authorization_valid_before";
  expect(late.body).toMatchObject({ isValid: false, invalidReason, payer: from });
  expect(verified.body).toEqual({ isValid: true, payer: from });
  expect(settled.body).toMatchObject({ success: true, payer: from, network: "eip155:84532" });
  expect(await spendable(from)).toBe(0n);
});

test("the specification's client verifies, settles and lists", async () => {
  const client = new HTTPFacilitatorClient({ url: port.url });
  const request = requestOf(await payerWith(10_000)) as never as {
    paymentPayload: Parameters<typeof client.verify>[0];
    paymentRequirements: Parameters<typeof client.verify>[1];
  };
  const { paymentPayload, paymentRequirements } = request;

  expect(await client.verify(paymentPayload, paymentRequirements)).toMatchObject({ isValid: true });
  expect(await client.settle(paymentPayload, paymentRequirements)).toMatchObject({ success: true });
  expect(await client.getSupported()).toMatchObject({
    kinds: [
      { x402Version: 2, scheme: "exact", network: RAIL.network },
      { scheme: "upto", extra: { facilitatorAddress: RAIL.facilitator } },
      { scheme: "exact", network: OTHER_NETWORK.network },
    ],
    extensions: [],
    signers: { [RAIL.network]: [RAIL.facilitator] },
  });
});

test("the books agree after all of it", async () => {
  const { divergences } = await port.store.verify({ divergencesMax: 10 });

  expect(divergences).toEqual([]);
});
