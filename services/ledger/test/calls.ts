import type { MoneySchema } from "@bourse/proto/bourse/type/v1/money_pb.ts";
import { faultsOf, metadataOf, reasonOf, retryAfterOf } from "@bourse/rpc";
import type { MessageInitShape } from "@bufbuild/protobuf";

/** So many micros of EUR, as a request bears them. */
export function euros(micros: number | bigint): MessageInitShape<typeof MoneySchema> {
  return { micros: BigInt(micros), currencyCode: "EUR" };
}

/** How a call was refused; all is empty when it was not. */
export async function refusalOf(call: Promise<unknown>) {
  const error: unknown = await call.then(
    () => undefined,
    (thrown) => thrown,
  );
  return {
    reason: reasonOf(error),
    metadata: metadataOf(error),
    faults: faultsOf(error).map(({ field, reason }) => `${field} ${reason}`),
    retryAfter: retryAfterOf(error),
  };
}
