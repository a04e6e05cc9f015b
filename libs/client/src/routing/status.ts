import { ErrorInfoSchema } from "@bourse/proto/google/rpc/error_details_pb.ts";
import { StatusSchema } from "@bourse/proto/google/rpc/status_pb.ts";
import { create, toBinary } from "@bufbuild/protobuf";
import { anyPack } from "@bufbuild/protobuf/wkt";
import { Metadata, type StatusObject, status } from "@grpc/grpc-js";
import type { Nobody } from "./selection.ts";

/**
 * How a call ends for which there is nobody: UNAVAILABLE, since gRPC lets a resolver say no other
 * (NOT_FOUND would reach the caller as INTERNAL), with discovery's reason and counts as an
 * ErrorInfo.
 */
export function statusOfNobody(text: string, nobody: Nobody): StatusObject {
  const counted = Object.entries(nobody.counts).map(([name, count]) => `${name} ${count}`);
  const why = counted.length === 0 ? nobody.text : `${nobody.text} (${counted.join(", ")})`;
  const details = `nobody can take a call to ${text}: ${why}`;
  return unavailable(details, "NO_ELIGIBLE_AGENTS", nobody.counts);
}

/** How a call ends that was made before discovery has answered once. */
export function statusOfAway(text: string, error: Error): StatusObject {
  const details = `discovery cannot say who takes a call to ${text}: ${error.message}`;
  return unavailable(details, "DISCOVERY_UNAVAILABLE", {});
}

/** How a call ends when none of the agents named can be reached. */
export function statusOfUnreachable(text: string, faults: readonly string[]): StatusObject {
  const details = `no agent for ${text} can be reached: ${faults.join("; ")}`;
  return unavailable(details, "AGENTS_UNREACHABLE", {});
}

function unavailable(
  details: string,
  reason: string,
  values: Readonly<Record<string, string>>,
): StatusObject {
  const info = create(ErrorInfoSchema, { reason, domain: "bourse.client", metadata: values });
  const message = create(StatusSchema, {
    code: status.UNAVAILABLE,
    message: details,
    details: [anyPack(ErrorInfoSchema, info)],
  });
  const metadata = new Metadata();
  metadata.set("grpc-status-details-bin", Buffer.from(toBinary(StatusSchema, message)));
  return { code: status.UNAVAILABLE, details, metadata };
}
