import { UPTO_SPENDER } from "./authorization.ts";
import type { Claim } from "./claim.ts";
import { sameAddress } from "./rail.ts";
import type { Fault } from "./verdict.ts";

/** What a claim is made for: to look whether it could be paid, or to pay it. */
export type Phase = "verify" | "settle";

/** Seconds that an authorisation must still be good for. */
const MARGIN_S = 6n;

/**
 * The first fault of a claim, or undefined. In this order: signature, recipient, what an `upto`
 * payment is bound to, `validBefore`, `validAfter`, amount.
 *
 * `signer` is the address that the signature recovers to, undefined when it is none. Without `now`
 * the time is not looked at: for a payment that was made within its window.
 */
export function faultOf(
  claim: Claim,
  phase: Phase,
  signer: string | undefined,
  now: Date | undefined,
): Fault | undefined {
  return (
    partyFault(claim, signer) ??
    (now === undefined ? undefined : windowFault(claim, now)) ??
    amountFault(claim, phase)
  );
}

/** Who pays, who is paid, and by whom. */
function partyFault(claim: Claim, signer: string | undefined): Fault | undefined {
  const { scheme, from, to, bound } = claim.authorization;
  if (signer === undefined || !sameAddress(signer, from)) {
    const message = "the signature is not the payer's";
    return { code: "invalid_exact_evm_payload_signature", message };
  }
  if (!sameAddress(to, claim.payTo)) {
    const message = "the payer authorised another recipient";
    return { code: "invalid_exact_evm_payload_recipient_mismatch", message };
  }
  if (sameAddress(from, to)) {
    return { code: "invalid_payload", message: "a payer cannot pay itself" };
  }
  if (scheme === "exact") return undefined;
  const { asset, facilitator } = claim.rail;
  const isBound =
    sameAddress(bound.token, asset) &&
    sameAddress(bound.spender, UPTO_SPENDER) &&
    sameAddress(bound.facilitator, facilitator);
  if (isBound) return undefined;
  const message = "the permit is for another token, spender or facilitator";
  return { code: "invalid_payload", message };
}

/** Whether the claim is made within the time that the payer set; by the clock's whole seconds. */
export function windowFault({ authorization }: Claim, now: Date): Fault | undefined {
  const seconds = BigInt(Math.floor(now.getTime() / 1_000));
  if (authorization.validBefore < seconds + MARGIN_S) {
    const code = "invalid_exact_evm_payload_authorization_valid_before";
    return { code, message: "the authorization has run out" };
  }
  if (authorization.validAfter > seconds) {
    const code = "invalid_exact_evm_payload_authorization_valid_after";
    return { code, message: "the authorization is not valid yet" };
  }
  return undefined;
}

function amountFault({ authorization, asked }: Claim, phase: Phase): Fault | undefined {
  const { scheme, value } = authorization;
  const isLess = scheme === "upto" && phase === "settle";
  if (isLess && asked > value) {
    const code = "invalid_upto_evm_payload_settlement_exceeds_amount";
    return { code, message: "the payer authorised less" };
  }
  if (!isLess && asked !== value) {
    const code = "invalid_exact_evm_payload_authorization_value_mismatch";
    return { code, message: "the payer authorised another amount" };
  }
  if (asked === 0n && !isLess) {
    return { code: "invalid_payment_requirements", message: "the amount must be more than zero" };
  }
  return undefined;
}
