import { AgentProfileSchema } from "@bourse/proto/bourse/registry/v1/agent_pb.ts";
import { create } from "@bufbuild/protobuf";
import { WireType } from "@bufbuild/protobuf/wire";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { fromProfile, toProfile, toProfiles } from "../src/profile.ts";
import { anyProfile } from "./any-profile.ts";

const anyMessage = anyProfile.map((profile) => create(AgentProfileSchema, profile));

describe("stored profiles", () => {
  test("of many are those of each alone", () => {
    fc.assert(
      fc.property(fc.array(anyMessage, { maxLength: 8 }), (messages) => {
        expect(toProfiles(messages)).toEqual(messages.map(toProfile));
      }),
    );
  });

  test("read back are what was told, in its proper form", () => {
    fc.assert(
      fc.property(anyMessage, (message) => {
        const [stored] = toProfiles([message]);
        if (stored === undefined) return expect.fail("no profile");

        const { capabilities, metadata, ...rest } = fromProfile(stored);

        expect(capabilities).toEqual(stored.capabilities);
        expect(metadata).toEqual(message.metadata);
        expect(rest).toEqual({ ...rest, ...message, capabilities: undefined, metadata: undefined });
      }),
    );
  });

  test("hold nothing that the contract does not know", () => {
    const known = create(AgentProfileSchema, { capabilities: ["a"] });
    const unknown = { no: 999, wireType: WireType.Varint, data: new Uint8Array([1]) };

    const stored = toProfiles([{ ...known, $unknown: [unknown] }, known]);

    expect(stored[0]).toEqual(stored[1]);
  });
});
