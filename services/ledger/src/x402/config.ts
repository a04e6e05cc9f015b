import { readFileSync } from "node:fs";
import { z } from "zod";
import { type Rail, sameAddress } from "./rail.ts";
import { address } from "./wire.ts";

const rail = z
  .strictObject({
    schemes: z
      .array(z.enum(["exact", "upto"], { error: "must be exact or upto" }))
      .min(1, "must name a scheme")
      .refine((schemes) => new Set(schemes).size === schemes.length, "must not repeat a scheme"),
    network: z
      .string()
      .regex(/^eip155:[1-9]\d{0,14}$/, "must be a chain of the EVM in CAIP-2 form: eip155:84532"),
    asset: address,
    name: z.string().min(1, "must not be empty"),
    version: z.string().min(1, "must not be empty"),
    currencyCode: z.string().regex(/^[A-Z]{3,5}$/, "must be a currency of the ledger"),
    decimals: z.int("must be a whole number").min(0).max(36),
    maxTimeoutSeconds: z.int("must be a whole number").min(10).max(86_400),
    facilitatorAddress: address.optional(),
  })
  .refine(
    ({ schemes, facilitatorAddress }) =>
      !schemes.includes("upto") || facilitatorAddress !== undefined,
    { path: ["facilitatorAddress"], error: "is needed for upto" },
  )
  .transform(
    ({ currencyCode, facilitatorAddress = "", ...rest }): Rail => ({
      ...rest,
      chainId: BigInt(rest.network.slice("eip155:".length)),
      currency: currencyCode,
      facilitator: facilitatorAddress,
    }),
  );

const rails = z.array(rail, "must be an array of rails");

interface RailFault {
  readonly path: readonly PropertyKey[];
  readonly message: string;
}

/** What is wrong with rails that are right by themselves. */
function faultsBetween(all: readonly Rail[]): readonly RailFault[] {
  const assets = all.map(({ network, asset }) => `${network} ${asset.toLowerCase()}`);
  return all.flatMap(({ network, facilitator }, nth): readonly RailFault[] => {
    const named = all.find((each) => each.network === network && each.facilitator !== "");
    const isOther = facilitator !== "" && !sameAddress(named?.facilitator ?? "", facilitator);
    const message = "must be the same on all rails of a network";
    return [
      ...(assets.indexOf(assets[nth] ?? "") === nth
        ? []
        : [{ path: [nth], message: "has the asset of another" }]),
      ...(isOther ? [{ path: [nth, "facilitatorAddress"], message }] : []),
    ];
  });
}

/**
 * The rails of x402 payments: a JSON array, or the path of a file that holds one. A fault is told
 * by the path of its member, never by its value.
 */
export const railsVariable = z
  .string()
  .default("[]")
  .transform((text, context): readonly Rail[] => {
    const read = rails.safeParse(jsonIn(text));
    const faults = read.success ? faultsBetween(read.data) : read.error.issues;
    if (read.success && faults.length === 0) return read.data;
    for (const { path, message } of faults) {
      const at = path.map((part) => (typeof part === "number" ? `[${part}]` : `.${String(part)}`));
      context.addIssue({ code: "custom", message: `rails${at.join("")} ${message}` });
    }
    return z.NEVER;
  });

/** The value of the JSON text, or of the file of that name; undefined when there is none. */
function jsonIn(text: string): unknown {
  try {
    const json = text.trimStart().startsWith("[") ? text : readFileSync(text, "utf8");
    return JSON.parse(json) as unknown;
  } catch {
    return undefined;
  }
}
