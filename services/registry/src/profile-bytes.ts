import { AgentProfileSchema } from "@bourse/proto/bourse/registry/v1/agent_pb.ts";
import { WireType } from "@bufbuild/protobuf/wire";

const CAPABILITIES = (AgentProfileSchema.field.capabilities.number << 3) | WireType.LengthDelimited;

/**
 * A profile in proper form, with these capabilities in the place of its own: to write all of it anew would take five
 * times as long. Names of capabilities are ASCII and have at most 100 letters, and each field before them begins with
 * its length.
 */
export function withCapabilities(profile: Uint8Array, capabilities: readonly string[]): Uint8Array {
  let begin = 0;
  while ((profile[begin] ?? CAPABILITIES) < CAPABILITIES) begin = behindField(profile, begin);
  let end = begin;
  while (profile[end] === CAPABILITIES) end = behindField(profile, end);
  const bytes = capabilities.reduce((sum, name) => sum + 2 + name.length, 0);
  const spliced = Buffer.allocUnsafe(profile.length - (end - begin) + bytes);
  spliced.set(profile.subarray(0, begin));
  let at = begin;
  for (const name of capabilities) {
    spliced[at++] = CAPABILITIES;
    spliced[at++] = name.length;
    for (let nth = 0; nth < name.length; nth++) spliced[at++] = name.charCodeAt(nth);
  }
  spliced.set(profile.subarray(end), at);
  return spliced;
}

function behindField(profile: Uint8Array, at: number): number {
  let length = 0;
  for (let place = at + 1, shift = 0; ; place++, shift += 7) {
    const byte = profile[place] ?? 0;
    length |= (byte & 0x7f) << shift;
    if (byte < 0x80) return place + 1 + length;
  }
}
