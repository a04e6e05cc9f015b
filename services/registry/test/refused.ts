import { faultsOf, metadataOf, reasonOf } from "@bourse/rpc";
import { Code, ConnectError } from "@connectrpc/connect";

/** What a call was refused with; fails when it was not. */
export async function refused(call: Promise<unknown>) {
  const error = await call.then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  if (!(error instanceof ConnectError))
    throw new Error("the call was not refused", { cause: error });
  return {
    reason: reasonOf(error),
    code: Code[error.code],
    message: error.rawMessage,
    fields: faultsOf(error).map((fault) => fault.field),
    metadata: metadataOf(error),
  };
}
