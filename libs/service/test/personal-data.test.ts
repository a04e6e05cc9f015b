import { createHash, randomUUID } from "node:crypto";
import { deriveUuid } from "@bourse/service/derive";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { findPersonalData, personalDataFaults } from "../src/personal-data.ts";

const kindsOf = (value: unknown) => findPersonalData(value, "payload").map(({ kind }) => kind);

describe("personal data", () => {
  test.each([
    ["ada@example.org", "EMAIL_ADDRESS"],
    ["write to <Ada.Lovelace+work@mail.example.co.uk>, please", "EMAIL_ADDRESS"],
    ["mailto:ada@example.org?subject=x", "EMAIL_ADDRESS"],
    ["jürgen@müller.de", "EMAIL_ADDRESS"],
    ["ada＠example.org", "EMAIL_ADDRESS"],
    ["+4915112345678", "PHONE_NUMBER"],
    ["call +1 (212) 555-0123 after 5", "PHONE_NUMBER"],
    ["tel:+44-20-7946-0018", "PHONE_NUMBER"],
    ["0049 151 12345678", "PHONE_NUMBER"],
    ["(212) 555-0123", "PHONE_NUMBER"],
    ["212-555-0123", "PHONE_NUMBER"],
    ["030 12345678", "PHONE_NUMBER"],
    ["0151-23456789", "PHONE_NUMBER"],
    ["030/12345678", "PHONE_NUMBER"],
    ["020 7946 0018", "PHONE_NUMBER"],
    ["06 12 34 56 78", "PHONE_NUMBER"],
    ["06.12.34.56.78", "PHONE_NUMBER"],
    ["612 34 56 78", "PHONE_NUMBER"],
    ["DE89370400440532013000", "IBAN"],
    ["de89370400440532013000", "IBAN"],
    ["pay to DE89 3704 0044 0532 0130 00 today", "IBAN"],
    ["GB82-WEST-1234-5698-7654-32", "IBAN"],
    ["NO9386011117947", "IBAN"],
  ])("%j holds one: %s", (text, kind) => {
    expect(kindsOf({ note: text })).toEqual([kind]);
    expect(kindsOf({ [text]: true })).toEqual([kind]);
    expect(kindsOf([[{ deep: [text] }]])).toEqual([kind]);
  });

  test.each([
    "task-20261121-101500-abcd1234",
    "task-20261121-101500-01234567",
    "2026-11-21T10:15:00.000Z",
    "2026-11-21T10:15:00+01:00",
    "2026-11-21 10:15:00",
    "21-11-2026 10:15",
    "01-02-2026",
    "01/02/2026 12345",
    "1763719200000",
    "015112345678",
    "2500000000",
    "4915112345678",
    "1 000 000 000",
    "123 456 789",
    "0.123456789",
    "-0.000001",
    "12,500.00",
    "192.168.10.123",
    "10.0.0.1:7401",
    "0.10.123",
    "python text.summary iso_construction c++ grpc/health",
    "ACCEPTED_BY_SILENCE",
    "price@high",
    "package@1.2.3",
    "@bourse/service",
    "DE89370400440532013001",
    "GB00WEST12345698765432",
    "EUR",
    "4/4 06-07 12:00",
    "",
  ])("%j holds none", (text) => {
    expect(kindsOf({ note: text, [text]: text })).toEqual([]);
  });

  test("bare digits are a phone number where the name of the member says so", () => {
    expect(kindsOf({ phone: "4915112345678" })).toEqual(["PHONE_NUMBER"]);
    expect(kindsOf({ contactPhone: "015112345678" })).toEqual(["PHONE_NUMBER"]);
    expect(kindsOf({ mobile_number: 4915112345678 })).toEqual(["PHONE_NUMBER"]);
    expect(kindsOf({ phones: ["x"], phone: ["2125550123"] })).toEqual(["PHONE_NUMBER"]);
    expect(kindsOf({ headphone_price_micros: "4915112345678", mobile_app: 20261121 })).toEqual([]);
  });

  test("is told by its place, every one at once, and never repeated in it", () => {
    const payload = {
      contact: { email: "ada@example.org", "work phone": "+4915112345678" },
      "bob@example.org": { iban: ["DE89370400440532013000"] },
    };

    expect(personalDataFaults(payload, "events[2].payload")).toEqual([
      fault("events[2].payload.contact.email", "an e-mail address"),
      fault('events[2].payload.contact["work phone"]', "a phone number"),
      fault("events[2].payload[name 1]", "an e-mail address"),
      fault("events[2].payload[name 1].iban[0]", "an IBAN"),
    ]);
  });
});

function fault(field: string, what: string) {
  return { field, reason: "PERSONAL_DATA", description: `must not hold ${what}` };
}

describe("what services write of their own", () => {
  const hex = (text: string) => createHash("sha256").update(text).digest("hex");
  const taskId = fc
    .tuple(
      fc.date({ min: new Date(0), max: new Date("2099-12-31"), noInvalidDate: true }),
      fc.string(),
    )
    .map(([at, seed]) => {
      const [day = "", time = ""] = at.toISOString().split("T");
      const stamp = `${day.replaceAll("-", "")}-${time.slice(0, 8).replaceAll(":", "")}`;
      return `task-${stamp}-${hex(seed).slice(0, 8)}`;
    });

  test.each([
    ["UUIDs", fc.nat().map((n) => deriveUuid("id", n))],
    ["random UUIDs", fc.constant(undefined).map(() => randomUUID())],
    ["digests", fc.nat().map((n) => hex(String(n)))],
    [
      "digests as base64",
      fc.nat().map((n) => Buffer.from(hex(String(n)), "hex").toString("base64")),
    ],
    ["pseudonyms", fc.nat().map((n) => `p-${hex(String(n)).slice(0, 32)}`)],
    ["task ids", taskId],
    ["times", fc.date({ noInvalidDate: true }).map((at) => at.toISOString())],
    ["amounts", fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }).map(String)],
    ["numbers", fc.double({ noNaN: true })],
    ["numbers in words", fc.double({ noNaN: true }).map((n) => `took ${n} of ${n * 2} ms`)],
  ])("%s are never taken for personal data", (_name, values) => {
    fc.assert(
      fc.property(values as fc.Arbitrary<unknown>, (value) => {
        expect(kindsOf({ value, of: [value, `${value}/${value}`, `id ${value}.`] })).toEqual([]);
      }),
      { numRuns: 2_000 },
    );
  });
});

describe("what people write", () => {
  test("an e-mail address is found wherever it stands in a text", () => {
    const around = fc.string().map((text) => text.replaceAll(/[^ .,;()<>"]/g, " "));
    fc.assert(
      fc.property(fc.emailAddress({ size: "small" }), around, around, (email, before, behind) => {
        fc.pre(/^[a-z\d]/i.test(email));
        expect(kindsOf(`${before} ${email} ${behind}`)).toContain("EMAIL_ADDRESS");
      }),
    );
  });

  test("an IBAN is found by its check digits, and not with others", () => {
    const account = fc.stringMatching(/^\d{18}$/);
    fc.assert(
      fc.property(account, fc.integer({ min: 1, max: 96 }), (bban, off) => {
        const check = 98n - (BigInt(`${bban}131400`) % 97n);
        const wrong = ((check + BigInt(off) - 2n) % 97n) + 2n;
        const iban = (digits: bigint) => `DE${String(digits).padStart(2, "0")}${bban}`;
        expect(kindsOf(iban(check))).toEqual(["IBAN"]);
        expect(kindsOf(iban(wrong))).toEqual([]);
      }),
    );
  });
});
