import { randomUUIDv7 } from "node:crypto";
import {
  type PrepareSettlementRequestSchema,
  PrepareSettlementResponseSchema,
} from "@bourse/proto/bourse/ledger/v1/ledger_service_pb.ts";
import { reasonOf } from "@bourse/rpc";
import { type MessageInitShape, toJson } from "@bufbuild/protobuf";
import {
  PaymentPayloadV2Schema,
  PaymentRequiredV2Schema,
  PaymentRequirementsV2Schema,
} from "@x402/core/schemas";
import { afterAll, beforeAll, expect, test } from "vitest";
import { claimReader } from "../../src/x402/claim.ts";
import {
  domainSeparator,
  type Structs,
  signingDigest,
  type Values,
} from "../../src/x402/eip712.ts";
import { signerOf } from "../../src/x402/signature.ts";
import { faultOf } from "../../src/x402/verify.ts";
import { startLedger, type TestLedger } from "../server.ts";
import { authorizationOf, CENT_RAIL, RAIL, walletOf } from "./vectors.ts";

type Request = MessageInitShape<typeof PrepareSettlementRequestSchema>;

const NOW = new Date("2026-11-21T12:00:00Z");
const wallet = walletOf();
const PAYER = wallet.address;
const PAYEE = authorizationOf().to.toLowerCase();
const usdc = (micros: number) => ({ micros: BigInt(micros), currencyCode: "USDC" });
let ledger: TestLedger;

beforeAll(async () => {
  ledger = await startLedger({ now: () => NOW });
  const operator = ledger.as("operator").ledger;
  for (const [nth, owner] of [PAYER, "ann"].entries()) {
    await operator.deposit({ depositId: `d-${nth}`, owner, amount: usdc(1_000_000) });
  }
});
afterAll(() => ledger[Symbol.asyncDispose]());

async function recorded(micros: number, payer = PAYER, provider = PAYEE): Promise<string> {
  const transactionId = randomUUIDv7();
  const terms = { transactionId, payer, provider, capability: "translate", amount: usdc(micros) };
  await ledger.as("operator").ledger.recordTransaction(terms);
  return transactionId;
}

/** The answer as JSON, which is what x402 reads. */
async function prepared(request: Request, caller = "operator") {
  const response = await ledger.as(caller).ledger.prepareSettlement(request);
  return toJson(PrepareSettlementResponseSchema, response) as unknown as {
    readonly paymentRequired: Record<string, unknown> & { accepts: Record<string, unknown>[] };
    readonly paymentPayload?: Record<string, unknown> & { payload: Record<string, unknown> };
    readonly typedData?: {
      readonly types: Structs;
      readonly primaryType: string;
      readonly domain: {
        name: string;
        version?: string;
        chainId: number;
        verifyingContract: string;
      };
      readonly message: Values;
    };
    readonly transaction?: Record<string, unknown>;
  };
}

async function refusal(request: Request, caller = "operator"): Promise<string> {
  return prepared(request, caller).then(
    () => "ok",
    (error) => reasonOf(error) ?? String(error),
  );
}

const ofTransaction = (id: string): Request => ({ subject: { case: "transactionId", value: id } });
const ofPayment = (paymentId: string, micros: number, fields: Request = {}): Request => ({
  subject: { case: "payment", value: { paymentId, amount: usdc(micros) } },
  payTo: PAYEE,
  payerAddress: PAYER,
  ...fields,
});

/** What the facilitator finds with a prepared payment once its payer has signed it. */
function verdictOn({ paymentPayload, typedData }: Awaited<ReturnType<typeof prepared>>): string {
  if (paymentPayload === undefined || typedData === undefined) return "nothing to sign";
  const { types, primaryType, message, domain } = typedData;
  const separator = domainSeparator({ ...domain, chainId: BigInt(domain.chainId) });
  const signature = wallet.sign(signingDigest(separator, types, primaryType, message));
  const payload = { ...paymentPayload.payload, signature };
  const read = claimReader([RAIL, CENT_RAIL]).read({
    x402Version: 2,
    paymentPayload: { ...paymentPayload, payload },
    paymentRequirements: paymentPayload["accepted"],
  });
  if ("fault" in read) return read.fault.message;
  const signer = signerOf(read.claim.digest, Buffer.from(signature.slice(2), "hex"));
  return faultOf(read.claim, "verify", signer, NOW)?.code ?? "ok";
}

test.each(["exact", "upto"])(
  "what is prepared for %s is payable when it is signed",
  async (scheme) => {
    const answer = await prepared({ ...ofTransaction(await recorded(12_345)), scheme });

    expect(verdictOn(answer)).toBe("ok");
    expect(PaymentRequiredV2Schema.parse(answer.paymentRequired)).toBeTruthy();
    expect(PaymentPayloadV2Schema.parse(answer.paymentPayload)).toBeTruthy();
    expect(PaymentRequirementsV2Schema.parse(answer.paymentRequired.accepts[0])).toEqual({
      scheme,
      network: RAIL.network,
      amount: "12345",
      asset: RAIL.asset,
      payTo: PAYEE,
      maxTimeoutSeconds: 60,
      extra: {
        name: "USDC",
        version: "2",
        ...(scheme === "upto" && { facilitatorAddress: RAIL.facilitator }),
      },
    });
  },
);

test("a held transaction is paid in full, a settled one for what was paid, and no other", async () => {
  const id = await recorded(20_000);
  const operator = ledger.as("operator").ledger;
  const amountAsked = async () => (await prepared(ofTransaction(id))).paymentRequired.accepts;

  expect(await amountAsked()).toMatchObject([{ amount: "20000" }, { amount: "2" }]);
  await operator.settleTransaction({ transactionId: id, amount: usdc(15_000) });
  expect(await amountAsked()).toMatchObject([{ amount: "15000" }]);
  await operator.flagDispute({ transactionId: id });
  expect(await refusal(ofTransaction(id))).toBe("INVALID_TRANSACTION_STATE");
});

test("the facts of the transaction come with it", async () => {
  const id = await recorded(10_000);
  const answer = await prepared(ofTransaction(id));

  expect(answer.paymentRequired["resource"]).toEqual({
    url: `urn:uuid:${id}`,
    description: "translate",
  });
  expect(answer.transaction).toMatchObject({
    transactionId: id,
    payer: PAYER,
    provider: PAYEE,
    capability: "translate",
    amount: { micros: "10000", currencyCode: "USDC" },
    createTime: "2026-11-21T12:00:00Z",
    state: "TRANSACTION_STATE_PENDING",
  });
});

test("parties that are no addresses are paid where the caller says", async () => {
  const id = await recorded(10_000, "ann", "bob");

  expect(await refusal(ofTransaction(id))).toBe("PAYMENT_ADDRESS_MISSING");
  const toPayee = await prepared({ ...ofTransaction(id), payTo: PAYEE });
  expect(toPayee).not.toHaveProperty("paymentPayload");
  expect(toPayee).not.toHaveProperty("typedData");
  const signed = { ...ofTransaction(id), payTo: PAYEE, payerAddress: PAYER };
  expect(verdictOn(await prepared(signed))).toBe("ok");
});

test("the same question has the same nonce, so that who signs twice pays once", async () => {
  const nonceOf = async (request: Request) => {
    const { authorization } = (await prepared(request)).paymentPayload?.payload ?? {};
    return (authorization as Record<string, string>)["nonce"];
  };
  const id = await recorded(10_000);
  const other = await recorded(10_000);

  expect(await nonceOf(ofTransaction(id))).toBe(await nonceOf(ofTransaction(id)));
  expect(await nonceOf(ofTransaction(id))).not.toBe(await nonceOf(ofTransaction(other)));
  expect(await nonceOf(ofPayment("p-1", 1))).toBe(await nonceOf(ofPayment("p-1", 2)));
  expect(await nonceOf(ofPayment("p-1", 1))).not.toBe(await nonceOf(ofPayment("p-2", 1)));
});

test("what is no transaction can be paid, for a resource of its own", async () => {
  const resource = { url: "https://api.example.com/data", mimeType: "application/json" };
  const answer = await prepared(ofPayment("p-3", 10_000, { resource }));

  expect(verdictOn(answer)).toBe("ok");
  expect(answer.paymentRequired["resource"]).toEqual(resource);
  expect(answer).not.toHaveProperty("transaction");
});

test("an agent sees what it is a party of; anybody may ask for another payment", async () => {
  const id = await recorded(10_000, "ann", "bob");
  const request = { ...ofTransaction(id), payTo: PAYEE };

  expect(await refusal(request, "agent:ann")).toBe("ok");
  expect(await refusal(request, "agent:carl")).toBe("TRANSACTION_NOT_FOUND");
  expect(await refusal(ofTransaction(randomUUIDv7()))).toBe("TRANSACTION_NOT_FOUND");
  expect(await refusal(ofPayment("p-4", 1), "agent:carl")).toBe("ok");
});

test("of two reasons at once the first of the contract's list is told", async () => {
  const id = await recorded(10_000);
  await ledger.as("operator").ledger.cancelTransaction({ transactionId: id });
  const unknown = ofTransaction(randomUUIDv7());
  const noRail = { network: "eip155:1" };

  expect(await refusal({ ...unknown, payTo: PAYER, payerAddress: PAYER })).toBe("SAME_PARTY");
  expect(await refusal(unknown)).toBe("TRANSACTION_NOT_FOUND");
  expect(await refusal({ ...ofTransaction(id), ...noRail })).toBe("INVALID_TRANSACTION_STATE");
  expect(await refusal({ ...ofTransaction(await recorded(1)), ...noRail })).toBe(
    "PAYMENT_RAIL_NOT_FOUND",
  );
});

const EURO = { micros: 5n, currencyCode: "EUR" };

test.each<readonly [string, string, Request]>([
  ["INVALID_REQUEST", "nothing to pay for", {}],
  ["INVALID_REQUEST", "an amount of nothing", ofPayment("p", 0)],
  ["INVALID_REQUEST", "a payee that is no address", ofPayment("p", 1, { payTo: "bob" })],
  ["INVALID_REQUEST", "another scheme", ofPayment("p", 1, { scheme: "later" })],
  ["INVALID_REQUEST", "a resource without URL", ofPayment("p", 1, { resource: { url: "" } })],
  ["SAME_PARTY", "a payer who is paid", ofPayment("p", 1, { payTo: PAYER, network: "eip155:1" })],
  [
    "PAYMENT_RAIL_NOT_FOUND",
    "another network",
    ofPayment("p", 1, { network: "eip155:1", payTo: "" }),
  ],
  [
    "PAYMENT_RAIL_NOT_FOUND",
    "a scheme of other rails",
    ofPayment("p", 1, { network: CENT_RAIL.network, scheme: "upto" }),
  ],
  [
    "PAYMENT_RAIL_NOT_FOUND",
    "another currency",
    ofPayment("p", 1, { subject: { case: "payment", value: { paymentId: "p", amount: EURO } } }),
  ],
  [
    "PAYMENT_ADDRESS_MISSING",
    "no payee",
    ofPayment("p", 1, { network: CENT_RAIL.network, payTo: "" }),
  ],
  [
    "AMOUNT_NOT_ATOMIC",
    "one and a half cents",
    ofPayment("p", 15_000, { network: CENT_RAIL.network }),
  ],
  ["ok", "two cents", ofPayment("p", 20_000, { network: CENT_RAIL.network })],
])("%s for %s", async (reason, _what, request) => {
  expect(await refusal(request)).toBe(reason);
});
