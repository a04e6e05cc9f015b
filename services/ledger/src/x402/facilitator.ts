import type { AccountName } from "../account.ts";
import type { Claim, Named } from "./claim.ts";
import { claimReader } from "./claim.ts";
import { type PaymentStore, pay, paymentId, type Submit } from "./payments.ts";
import { ownerOf, type Rail, type Scheme } from "./rail.ts";
import type { Signatures } from "./signatures.ts";
import type { Code, Fault } from "./verdict.ts";
import { faultOf, type Phase, windowFault } from "./verify.ts";

/** What the facilitator is made of. */
export interface FacilitatorOptions {
  readonly rails: readonly Rail[];
  readonly signatures: Pick<Signatures, "signer">;
  readonly submit: Submit;
  readonly store: PaymentStore;
  readonly now: () => Date;
}

/** Answer of POST /verify. */
export interface VerifyResponse {
  readonly isValid: boolean;
  readonly invalidReason?: Code;
  readonly invalidMessage?: string;
  readonly payer?: string;
}

/** Answer of POST /settle. */
export interface SettleResponse {
  readonly success: boolean;
  readonly errorReason?: Code;
  readonly errorMessage?: string;
  readonly payer?: string;
  /** The id of the ledger's transaction; "" when nothing was paid. */
  readonly transaction: string;
  readonly network: string;
  /** Atomic units. */
  readonly amount?: string;
}

/** What is to be answered, and what was found. */
export interface Reply<T> {
  readonly body: T;
  readonly fault: Fault | undefined;
}

/** The facilitator of x402 v2, with this ledger in the place of a chain. */
export interface Facilitator {
  /** Whether a payment could be made now. Changes nothing. */
  verify(body: unknown): Promise<Reply<VerifyResponse>>;
  /**
   * Makes a payment, once: asked again, in or after its time, the first answer is given again.
   * @throws Rejection LEDGER_BUSY, or what the database throws when it is away; then ask again
   */
  settle(body: unknown): Promise<Reply<SettleResponse>>;
  /** The schemes and networks of the rails. */
  supported(): Supported;
}

/** Answer of GET /supported. */
export interface Supported {
  readonly kinds: readonly {
    readonly x402Version: 2;
    readonly scheme: Scheme;
    readonly network: string;
    readonly extra?: Readonly<Record<string, string>>;
  }[];
  readonly extensions: readonly string[];
  readonly signers: Readonly<Record<string, readonly string[]>>;
}

/** Opens the facilitator of these rails. */
export function createFacilitator(options: FacilitatorOptions): Facilitator {
  const { rails, now } = options;
  const reader = claimReader(rails);
  return {
    async verify(body) {
      const read = reader.read(body);
      if ("fault" in read) return invalid(read.named, read.fault);
      const { claim, named } = read;
      const fault =
        (await claimFault(claim, "verify", now(), options)) ?? (await fundsFault(claim, options));
      return fault === undefined
        ? { body: { isValid: true, payer: claim.authorization.from }, fault }
        : invalid(named, fault);
    },

    async settle(body) {
      const read = reader.read(body);
      if ("fault" in read) return failed(read.named, read.fault);
      const { claim, named } = read;
      const fault = await claimFault(claim, "settle", now(), options);
      if (fault !== undefined) return failed(named, fault);
      const outcome = await pay(claim, options);
      if ("fault" in outcome) return failed(named, outcome.fault);
      const { from } = claim.authorization;
      return {
        fault: undefined,
        body: {
          success: true,
          payer: from,
          transaction: outcome.transactionId,
          network: claim.rail.network,
          amount: String(claim.asked),
        },
      };
    },

    supported: () => supportedBy(rails),
  };
}

/** The first fault of a claim itself. A payment that was tried in its time may come again later. */
async function claimFault(
  claim: Claim,
  phase: Phase,
  now: Date,
  { signatures, store }: FacilitatorOptions,
): Promise<Fault | undefined> {
  const { digest, signature } = claim;
  const signer = await signatures.signer({ digest, signature });
  const fault = faultOf(claim, phase, signer, now);
  if (phase === "verify" || fault === undefined) return fault;
  if (fault.code !== windowFault(claim, now)?.code) return fault;
  const { recorded, burnt } = await store.standing(paymentId(claim), accountOf(claim));
  return !recorded && !burnt ? fault : faultOf(claim, phase, signer, undefined);
}

/** Whether the nonce is free and the money there. */
async function fundsFault(claim: Claim, { store }: FacilitatorOptions): Promise<Fault | undefined> {
  const standing = await store.standing(paymentId(claim), accountOf(claim));
  const { recorded, burnt, available } = standing;
  if (recorded) {
    const message = "the nonce was used: settle again to be told how it ended";
    return { code: "invalid_transaction_state", message };
  }
  if (!burnt && available >= claim.micros) return undefined;
  const message = burnt ? "the nonce was refused before" : "the payer has not as much to spend";
  return { code: "insufficient_funds", message };
}

function accountOf({ authorization, rail }: Claim): AccountName {
  return { owner: ownerOf(authorization.from), currency: rail.currency };
}

function invalid({ payer }: Named, fault: Fault): Reply<VerifyResponse> {
  const body = { isValid: false, invalidReason: fault.code, invalidMessage: fault.message };
  return { fault, body: payer === undefined ? body : { ...body, payer } };
}

function failed({ payer, network }: Named, fault: Fault): Reply<SettleResponse> {
  const { code, message } = fault;
  const body = { success: false, errorReason: code, errorMessage: message };
  const paid = payer === undefined ? {} : { payer };
  return { fault, body: { ...body, ...paid, transaction: "", network } };
}

function supportedBy(rails: readonly Rail[]): Supported {
  const kinds = new Map(
    rails.flatMap(({ schemes, network, facilitator }) =>
      schemes.map((scheme) => {
        const extra = scheme === "upto" ? { extra: { facilitatorAddress: facilitator } } : {};
        return [`${scheme} ${network}`, { x402Version: 2 as const, scheme, network, ...extra }];
      }),
    ),
  );
  const signers = rails.filter(({ facilitator }) => facilitator !== "");
  return {
    kinds: [...kinds.values()],
    extensions: [],
    signers: Object.fromEntries(
      signers.map(({ network, facilitator }) => [network, [facilitator]]),
    ),
  };
}
