import {
  type AgentProfile,
  AgentProfileSchema,
} from "@bourse/proto/bourse/registry/v1/agent_pb.ts";
import {
  type RegisterAgentRequest,
  RegisterAgentRequestSchema,
} from "@bourse/proto/bourse/registry/v1/registry_service_pb.ts";
import { readProper } from "@bourse/rpc";
import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { WireType } from "@bufbuild/protobuf/wire";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { Profile } from "../src/agent.ts";
import { fromProfile, toProfile } from "../src/profile.ts";
import { anyProfile } from "./any-profile.ts";

const anyMessage = anyProfile.map((profile) => create(AgentProfileSchema, profile));

/** As a registration brings it. */
function sent(profile: AgentProfile): AgentProfile {
  const request = create(RegisterAgentRequestSchema, { agentId: "a", profile });
  const bytes = toBinary(RegisterAgentRequestSchema, request);
  const proper = readProper(RegisterAgentRequestSchema, bytes) as RegisterAgentRequest | undefined;
  const { profile: came } = proper ?? fromBinary(RegisterAgentRequestSchema, bytes);
  return came ?? expect.fail("no profile");
}

describe("stored profiles", () => {
  test("are the same whether they came over the wire or were made here", () => {
    fc.assert(
      fc.property(anyMessage, (message) => {
        const told = (profile: Profile) => ({ ...profile, encoded: [...profile.encoded] });
        expect(told(toProfile(sent(message)))).toEqual(told(toProfile(message)));
      }),
    );
  });

  test("read back are what was told, in its proper form", () => {
    fc.assert(
      fc.property(anyMessage, (message) => {
        const stored = toProfile(sent(message));

        const { capabilities, metadata, ...rest } = fromProfile(stored);

        expect(capabilities).toEqual(stored.capabilities);
        expect(metadata).toEqual(message.metadata);
        expect(rest).toEqual({ ...rest, ...message, capabilities: undefined, metadata: undefined });
      }),
    );
  });

  test("are not written anew when they are sent again as they are stored", () => {
    const stored = toProfile(create(AgentProfileSchema, { capabilities: ["b", "a"] }));
    const came = sent(fromProfile(stored));

    const again = toProfile(came);

    expect(again.encoded).toEqual(stored.encoded);
    expect(again.encoded.byteOffset).toBeGreaterThan(0);
  });

  test("hold nothing that the contract does not know", () => {
    const known = create(AgentProfileSchema, { capabilities: ["a"] });
    const unknown = { no: 999, wireType: WireType.Varint, data: new Uint8Array([1]) };

    const stored = toProfile(sent({ ...known, $unknown: [unknown] }));

    expect(stored).toEqual(toProfile(known));
  });
});
