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

/**
 * What the ledger of an embedded market is told of x402: a rail to try, unless others are named,
 * and a port for its facilitator only when one is named.
 */
export function paymentEnvironment(
  shell: Readonly<Record<string, string | undefined>>,
): Record<string, string> {
  const listen = shell["BOURSE_X402_LISTEN"];
  const rails = shell["BOURSE_X402_RAILS"];
  return {
    BOURSE_X402_RAILS: rails || JSON.stringify([TEST_RAIL]),
    ...(listen && { BOURSE_X402_LISTEN: listen }),
  };
}
