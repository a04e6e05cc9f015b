import { formatPrincipal, parsePrincipal } from "@bourse/access";
import fc from "fast-check";
import { describe, expect, test } from "vitest";

describe("a principal", () => {
  test.each([
    ["agent:a1", { kind: "agent", id: "a1" }],
    ["agent:A_-9", { kind: "agent", id: "A_-9" }],
    [`agent:${"x".repeat(64)}`, { kind: "agent", id: "x".repeat(64) }],
    ["service:ledger", { kind: "service", id: "ledger" }],
    ["operator", { kind: "operator", id: "" }],
    ["auditor", { kind: "auditor", id: "" }],
    ["anonymous", { kind: "anonymous", id: "" }],
  ])("%s reads as %o and is written the same", (text, principal) => {
    expect(parsePrincipal(text)).toEqual(principal);
    expect(formatPrincipal(parsePrincipal(text) ?? { kind: "anonymous", id: "" })).toBe(text);
  });

  test.each([
    "",
    "agent",
    "agent:",
    "agent:a b",
    "agent:a\n",
    "agent:ä",
    "agent:a:b",
    `agent:${"x".repeat(65)}`,
    "Agent:a",
    " operator",
    "operator:",
    "operator:a",
    "service:",
    "service:Ledger",
    "root",
    "anonymous:a",
  ])("%j is none", (text) => {
    expect(parsePrincipal(text)).toBeUndefined();
  });

  test("whatever reads as one is written back unchanged", () => {
    const kinds = fc.constantFrom("agent:", "service:", "operator", "auditor", "x", "");
    fc.assert(
      fc.property(kinds, fc.string(), (kind, rest) => {
        const principal = parsePrincipal(kind + rest);
        return principal === undefined || formatPrincipal(principal) === kind + rest;
      }),
    );
  });
});
