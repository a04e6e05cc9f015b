import { ConnectError } from "@connectrpc/connect";

/**
 * The ConnectError that a call fails with; throws when it succeeds or fails with something else.
 */
export async function failureOf(call: Promise<unknown>): Promise<ConnectError> {
  const outcome = await call.then(
    () => undefined,
    (error: unknown) => error,
  );
  if (outcome instanceof ConnectError) return outcome;
  throw new Error("expected the call to fail with a ConnectError", { cause: outcome });
}
