import { ErrorInfoSchema } from "@bourse/proto/google/rpc/error_details_pb.ts";
import { StatusSchema } from "@bourse/proto/google/rpc/status_pb.ts";
import { metadataOf, reasonOf } from "@bourse/rpc";
import { create, toBinary } from "@bufbuild/protobuf";
import { anyPack } from "@bufbuild/protobuf/wkt";
import { Metadata, type StatusObject, status } from "@grpc/grpc-js";
import { nobodyText } from "./route.ts";
import type { Selection } from "./selection.ts";

/** What discovery counts when nobody passes; those that are 0 are not worth a word. */
const COUNTS = /^[1-9]\d*$/;

/**
 * How a call ends for which there is nobody: UNAVAILABLE, since gRPC lets a resolver say no other
 * (NOT_FOUND would reach the caller as INTERNAL), with discovery's reason and counts as an
 * ErrorInfo.
 */
export function statusOfNobody(
  text: string,
  nobody: NonNullable<Selection["nobody"]>,
): StatusObject {
  const counts = Object.entries(metadataOf(nobody)).filter(
    ([name, value]) => name !== "request_id" && COUNTS.test(value),
  );
  const counted = counts.map(([name, value]) => `${name} ${value}`).join(", ");
  const why = counted === "" ? nobodyText(nobody) : `${nobodyText(nobody)} (${counted})`;
  return unavailable(
    `nobody can take a call to ${text}: ${why}`,
    reasonOf(nobody) ?? "NO_ELIGIBLE_AGENTS",
    Object.fromEntries(counts),
  );
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
