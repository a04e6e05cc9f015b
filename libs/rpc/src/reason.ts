import {
  BadRequestSchema,
  ErrorInfoSchema,
  RetryInfoSchema,
} from "@bourse/proto/google/rpc/error_details_pb.ts";
import { durationMs } from "@bufbuild/protobuf/wkt";
import { ConnectError } from "@connectrpc/connect";
import { type Fault, Rejection } from "./rejection.ts";

/** The reason of a failed call (its ErrorInfo) or of a Rejection; undefined for anything else. */
export function reasonOf(error: unknown): string | undefined {
  if (error instanceof Rejection) return error.reason;
  return infoOf(error)?.reason;
}

/**
 * The fields that a failed call (its BadRequest) or a Rejection finds fault with; none for anything
 * else.
 */
export function faultsOf(error: unknown): readonly Fault[] {
  if (error instanceof Rejection) return error.faults;
  if (!(error instanceof ConnectError)) return [];
  return error.findDetails(BadRequestSchema).flatMap((badRequest) =>
    badRequest.fieldViolations.map(({ field, reason, description }) => ({
      field,
      reason,
      description,
    })),
  );
}

/**
 * The values that come with the reason of a failed call or of a Rejection; none for anything else.
 */
export function metadataOf(error: unknown): Record<string, string> {
  if (error instanceof Rejection) return { ...error.metadata };
  return { ...infoOf(error)?.metadata };
}

/** Milliseconds after which a refused call may be tried again, when the refusal says so. */
export function retryAfterOf(error: unknown): number | undefined {
  if (error instanceof Rejection) return error.retryAfterMs;
  if (!(error instanceof ConnectError)) return undefined;
  const delay = error.findDetails(RetryInfoSchema)[0]?.retryDelay;
  return delay === undefined ? undefined : durationMs(delay);
}

/** The domain that a reason belongs to; undefined for what is no failed call. */
export function domainOf(error: unknown): string | undefined {
  return infoOf(error)?.domain;
}

function infoOf(error: unknown) {
  return error instanceof ConnectError ? error.findDetails(ErrorInfoSchema)[0] : undefined;
}
