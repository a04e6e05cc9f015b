import { faultsOf, metadataOf, reasonOf } from "@bourse/rpc";
import { Code, ConnectError } from "@connectrpc/connect";

/** Waits for a call to be refused and tells how; throws when it is answered. */
export async function refusal(call: Promise<unknown>) {
  const error = await call.then(
    () => new Error("the call was answered, not refused"),
    (reason: unknown) => reason,
  );
  if (!(error instanceof ConnectError)) throw error;
  return {
    code: Code[error.code],
    reason: reasonOf(error),
    faults: faultsOf(error).map((fault) => fault.reason),
    fields: faultsOf(error).map((fault) => fault.field),
    metadata: metadataOf(error),
  };
}
