/** The token that x402 is tried out with: USDC of a test chain, paid in the ledger's USDC. */
const TEST_RAIL = {
  schemes: ["exact", "upto"],
  network: "eip155:84532",
  asset: "0x036CbD53842c5426634e7929541eC2318f3dCF7e",
  name: "USDC",
  version: "2",
  currencyCode: "USDC",
  decimals: 6,
  maxTimeoutSeconds: 300,
  facilitatorAddress: "0x0000000000000000000000000000000000000402",
};

/** What may be paid by x402 in an embedded market. */
export interface PaymentOptions {
  /** host:port of the facilitator; no port when absent or empty. */
  readonly listen?: string | undefined;
  /** The rails, as the ledger reads them; the test rail when absent or empty. */
  readonly rails?: string | undefined;
}

/** What the ledger of an embedded market is told of x402. */
export function paymentEnvironment({ listen, rails }: PaymentOptions = {}): Record<string, string> {
  return {
    BOURSE_X402_RAILS: rails || JSON.stringify([TEST_RAIL]),
    ...(listen && { BOURSE_X402_LISTEN: listen }),
  };
}
