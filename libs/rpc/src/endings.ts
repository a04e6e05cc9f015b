import { Rejection } from "./rejection.ts";

/** A caller began a message and did not end it. */
export function stalled(): Rejection {
  return new Rejection("REQUEST_STALLED", "a message was begun and did not end in time");
}

/** The header of the deadline is none that the specification of gRPC has. */
export function malformedTimeout(): Rejection {
  return new Rejection("INVALID_REQUEST", "grpc-timeout must be up to 8 digits and a unit");
}

/** The time of the call is over. */
export function deadlineExceeded(): Rejection {
  return new Rejection("DEADLINE_EXCEEDED", "the deadline of the call has passed");
}
