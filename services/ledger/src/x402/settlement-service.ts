import type {
  LedgerService,
  PrepareSettlementRequest,
} from "@bourse/proto/bourse/ledger/v1/ledger_service_pb.ts";
import { principalKey } from "@bourse/rpc";
import type { HandlerContext, ServiceImpl } from "@connectrpc/connect";
import type { Caller } from "../caller.ts";
import { decodeId, decodeMoney, encodeTransaction } from "../codec.ts";
import { rejectFaults, textFault } from "../limit.ts";
import { refuse } from "../refusal.ts";
import type { LedgerStore } from "../store.ts";
import { invalidState, maySee, notFound, type Transaction } from "../transaction.ts";
import { addressIn, type Preparation, type Prepared, prepare } from "./prepare.ts";
import { type Rail, sameAddress } from "./rail.ts";

/** What settlements are prepared with. */
export interface SettlementOptions {
  readonly store: Pick<LedgerStore, "findTransaction">;
  readonly rails: readonly Rail[];
  readonly now: () => Date;
}

/** Serves what x402 needs of the contract. */
export function settlements({ store, rails, now }: SettlementOptions) {
  return {
    async prepareSettlement(request, ctx) {
      const { payerAddress, payTo, resource } = request;
      rejectFaults([
        textFault("network", request.network),
        textFault("resource.url", resource?.url ?? ""),
        textFault("resource.description", resource?.description ?? ""),
        textFault("resource.mime_type", resource?.mimeType ?? ""),
      ]);
      if (payTo !== "" && sameAddress(payTo, payerAddress)) {
        throw refuse("SAME_PARTY", `${payTo} cannot pay itself`);
      }
      const transaction = await asked(store, request, ctx);
      const prepared = prepare(rails, preparationOf(request, transaction), now());
      const paidFor = resource ?? ownResource(request, transaction);
      return {
        ...encodePrepared(prepared, paidFor),
        ...(transaction && { transaction: encodeTransaction(transaction) }),
      };
    },
  } satisfies Partial<ServiceImpl<typeof LedgerService>>;
}

/** The transaction that is asked for; undefined when another payment is. */
async function asked(
  store: SettlementOptions["store"],
  { subject }: PrepareSettlementRequest,
  ctx: HandlerContext,
): Promise<Transaction | undefined> {
  if (subject.case !== "transactionId") return undefined;
  const id = decodeId(subject.value);
  const found = (await store.findTransaction(id, ctx))?.transaction;
  const caller: Caller = ctx.values.get(principalKey);
  if (found === undefined || !maySee(found, caller)) throw notFound(id);
  if (found.state !== "PENDING" && found.state !== "SETTLED") {
    throw invalidState(found, "prepare the settlement of");
  }
  return found;
}

function preparationOf(
  { subject, scheme, network, payerAddress, payTo }: PrepareSettlementRequest,
  transaction: Transaction | undefined,
): Preparation {
  const asked = { scheme: scheme === "upto" ? "upto" : "exact", network } as const;
  if (transaction !== undefined) {
    const { id, state, amount, settled } = transaction;
    return {
      ...asked,
      subject: ["transaction", id],
      amount: state === "SETTLED" ? { ...amount, micros: settled } : amount,
      payer: payerAddress || addressIn(transaction.payer),
      payTo: payTo || addressIn(transaction.provider),
    };
  }
  if (subject.case !== "payment") throw new TypeError("a request without a subject came through");
  const { paymentId, amount } = subject.value;
  return {
    ...asked,
    subject: ["payment", payTo.toLowerCase(), paymentId],
    amount: decodeMoney(amount),
    payer: payerAddress,
    payTo,
  };
}

/** What is paid for when the caller does not say. */
function ownResource({ subject }: PrepareSettlementRequest, transaction: Transaction | undefined) {
  if (transaction !== undefined) {
    return { url: `urn:uuid:${transaction.id}`, description: transaction.capability };
  }
  return { url: `urn:bourse:payment:${subject.case === "payment" ? subject.value.paymentId : ""}` };
}

function encodePrepared(
  { accepts, unsigned }: Prepared,
  resource: { readonly url: string; readonly description?: string; readonly mimeType?: string },
) {
  const [accepted] = accepts;
  return {
    paymentRequired: { x402Version: 2, resource, accepts: [...accepts] },
    ...(unsigned && {
      paymentPayload: { x402Version: 2, resource, accepted, payload: unsigned.payload },
      typedData: unsigned.typedData as never,
    }),
  };
}
