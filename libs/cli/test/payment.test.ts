import { expect, test } from "vitest";
import { paymentEnvironment } from "../src/market/payment.ts";

test("an embedded market has a rail to try x402 with, and no port for it", () => {
  const { BOURSE_X402_RAILS: rails = "", ...others } = paymentEnvironment();

  expect(JSON.parse(rails)).toMatchObject([{ network: "eip155:84532", currencyCode: "USDC" }]);
  expect(others).toEqual({});
});

test("rails and a port are those that are named", () => {
  expect(paymentEnvironment({ rails: "[]", listen: "127.0.0.1:7413" })).toEqual({
    BOURSE_X402_RAILS: "[]",
    BOURSE_X402_LISTEN: "127.0.0.1:7413",
  });
});
