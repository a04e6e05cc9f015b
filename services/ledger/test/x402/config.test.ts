import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { readConfig } from "@bourse/service";
import { expect, test } from "vitest";
import { railsVariable } from "../../src/x402/config.ts";
import { RAIL } from "./vectors.ts";

const rails = (text?: string) => readConfig({ RAILS: railsVariable }, { RAILS: text }).RAILS;

const CONFIGURED = {
  schemes: ["exact", "upto"],
  network: "eip155:84532",
  asset: RAIL.asset,
  name: "USDC",
  version: "2",
  currencyCode: "USDC",
  decimals: 6,
  maxTimeoutSeconds: 60,
  facilitatorAddress: RAIL.facilitator,
};

test("there are no rails unless some are given", () => {
  expect(rails()).toEqual([]);
});

test("rails are read from a JSON text or from a file", async () => {
  const text = JSON.stringify([CONFIGURED]);
  const folder = await mkdtemp(join(tmpdir(), "bourse-x402-"));
  await writeFile(join(folder, "rails.json"), text);

  expect(rails(text)).toEqual([RAIL]);
  expect(rails(join(folder, "rails.json"))).toEqual([RAIL]);
  await rm(folder, { recursive: true });
});

test.each([
  ["rails must be an array of rails", "[{"],
  ["rails must be an array of rails", "/nowhere/rails.json"],
  ["rails[0].schemes[0] must be exact or upto", { schemes: ["later"] }],
  ["rails[0].schemes must not repeat a scheme", { schemes: ["exact", "exact"] }],
  ["rails[0].network must be a chain of the EVM", { network: "solana:mainnet" }],
  ["rails[0].network must be a chain of the EVM", { network: "eip155:084532" }],
  ["rails[0].asset must be an address", { asset: "0x12" }],
  ["rails[0].currencyCode must be a currency", { currencyCode: "usdc" }],
  ["rails[0].decimals must be a whole number", { decimals: 6.5 }],
  ["rails[0].facilitatorAddress is needed for upto", { facilitatorAddress: undefined }],
])("a fault is told by the path of its member, never its value: %s", (told, given) => {
  const text = typeof given === "string" ? given : JSON.stringify([{ ...CONFIGURED, ...given }]);

  expect(() => rails(text)).toThrow(told);
  if (typeof given !== "string") expect(() => rails(text)).not.toThrow(RAIL.asset);
});

test("all faults are told at once", () => {
  const text = JSON.stringify([{ ...CONFIGURED, asset: "", name: "" }, { network: 1 }]);

  expect(() => rails(text)).toThrow(/rails\[0\]\.asset.*rails\[0\]\.name.*rails\[1\]\.network/);
});

test("no two rails are of one asset, and one network has one facilitator", () => {
  const lower = { ...CONFIGURED, asset: RAIL.asset.toLowerCase() };
  const asset = `0x${"44".repeat(20)}`;

  expect(() => rails(JSON.stringify([CONFIGURED, lower]))).toThrow("rails[1] has the asset");
  expect(() =>
    rails(JSON.stringify([CONFIGURED, { ...CONFIGURED, asset, facilitatorAddress: asset }])),
  ).toThrow("rails[1].facilitatorAddress must be the same on all rails of a network");
  expect(rails(JSON.stringify([CONFIGURED, { ...CONFIGURED, asset }]))).toHaveLength(2);
});
