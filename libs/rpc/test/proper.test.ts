import { AuctionService } from "@bourse/proto/bourse/auction/v1/auction_service_pb.ts";
import { DiscoveryService } from "@bourse/proto/bourse/discovery/v1/discovery_service_pb.ts";
import { LedgerService } from "@bourse/proto/bourse/ledger/v1/ledger_service_pb.ts";
import { LineageService } from "@bourse/proto/bourse/ledger/v1/lineage_service_pb.ts";
import { AgentProfileSchema } from "@bourse/proto/bourse/registry/v1/agent_pb.ts";
import { RegistryService } from "@bourse/proto/bourse/registry/v1/registry_service_pb.ts";
import { create, type DescMessage, fromBinary, type Message, toBinary } from "@bufbuild/protobuf";
import { UInt64ValueSchema } from "@bufbuild/protobuf/wkt";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { keepBytes, readProper } from "../src/proper.ts";
import { anyMessage } from "./any-message.ts";

const SERVICES = [AuctionService, DiscoveryService, LedgerService, LineageService, RegistryService];
const INPUTS = [
  AgentProfileSchema,
  ...new Set(SERVICES.flatMap((service) => service.methods.map(({ input }) => input))),
];
const keptOf = new Map(INPUTS.map((desc) => [desc, keepBytes(desc)]));
const NAMED = INPUTS.map((desc) => [desc.name, desc] as const);

/** What the library reads; undefined for what it refuses. */
function readByLibrary(desc: DescMessage, bytes: Uint8Array): Message | undefined {
  try {
    return fromBinary(desc, bytes);
  } catch {
    return undefined;
  }
}

function keptBytes(desc: DescMessage, message: Message): Uint8Array | undefined {
  return keptOf.get(desc)?.(message as never);
}

describe("a message in proper form", () => {
  test.each(NAMED)("%s: is read as the library reads it, with its bytes", (_name, desc) => {
    let read = 0;
    const property = fc.property(anyMessage(desc), (message) => {
      const bytes = toBinary(desc, message);
      const proper = readProper(desc, bytes);
      if (proper === undefined) return;
      read++;
      expect(proper).toStrictEqual(fromBinary(desc, bytes));
      expect(keptBytes(desc, proper)).toEqual(bytes);
    });

    fc.assert(property, { numRuns: 200 });

    expect(read).toBeGreaterThan(0);
  });

  test.each(NAMED)("%s: with other bytes it is none, or what the library reads", (_name, desc) => {
    const change = fc.tuple(fc.nat(), fc.nat(2), fc.integer({ min: 0, max: 255 }));
    const property = fc.property(anyMessage(desc), fc.array(change), (message, changes) => {
      const altered = [...toBinary(desc, message)];
      for (const [where, count, byte] of changes) {
        altered.splice(where % (altered.length + 1), count, byte);
      }
      const bytes = Uint8Array.from(altered);

      const proper = readProper(desc, bytes);

      if (proper === undefined) return;
      expect(proper).toStrictEqual(readByLibrary(desc, bytes));
      expect(toBinary(desc, proper)).toEqual(bytes);
    });

    fc.assert(property, { numRuns: 300 });
  });

  test("keeps its bytes to itself: a copy has none", () => {
    const bytes = toBinary(AgentProfileSchema, create(AgentProfileSchema, { capabilities: ["a"] }));
    const message = readProper(AgentProfileSchema, bytes) ?? expect.fail("not read");

    expect(keptBytes(AgentProfileSchema, message)).toEqual(bytes);
    expect(keptBytes(AgentProfileSchema, { ...message })).toBeUndefined();
  });

  test.each<[string, number[]]>([
    ["a field that nobody knows", [0xf8, 0x07, 1]],
    ["a field twice", [0x0a, 1, 97, 0x0a, 1, 98]],
    ["a field behind one with a higher number", [0x22, 1, 97, 0x0a, 1, 98]],
    ["a field that says nothing", [0x0a, 0]],
    ["a number in more bytes than it takes", [0x48, 0x81, 0]],
    ["a text that is not UTF-8", [0x0a, 1, 0xff]],
    ["a text that ends behind the message", [0x0a, 2, 97]],
    ["a label that has no value", [0x5a, 3, 0x0a, 1, 97]],
    ["a label twice", [0x5a, 6, 0x0a, 1, 97, 0x12, 1, 98, 0x5a, 6, 0x0a, 1, 97, 0x12, 1, 99]],
    ["a label that is a number", [0x5a, 6, 0x0a, 1, 49, 0x12, 1, 98]],
  ])("does not hold %s", (_what, bytes) => {
    expect(readProper(AgentProfileSchema, Uint8Array.from(bytes))).toBeUndefined();
  });

  test("is none where a field is of a kind that is not known here, set or not", () => {
    expect(readProper(UInt64ValueSchema, Uint8Array.of(0x08, 1))).toBeUndefined();
    expect(readProper(UInt64ValueSchema, new Uint8Array())).toBeUndefined();
  });

  test("is none when it nests deeper than any stack", () => {
    const depth = 200_000;
    const bytes = new Uint8Array(2 * depth).fill(0x1a);

    expect(readProper(AgentProfileSchema, bytes)).toBeUndefined();
  });
});
