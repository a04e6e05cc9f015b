import { faultsOf, metadataOf, reasonOf } from "@bourse/rpc";
import { Code, ConnectError } from "@connectrpc/connect";

/** How a call was refused. */
export interface Refusal {
  readonly code: keyof typeof Code;
  readonly reason: string;
  /** The fields found fault with. */
  readonly fields: readonly string[];
  /** Their reasons, in the same order. */
  readonly faults: readonly string[];
  readonly metadata: Readonly<Record<string, string>>;
}

/** Waits for a call to be refused and tells how; throws when it is not. */
export async function refusal(call: Promise<unknown>): Promise<Refusal> {
  try {
    await call;
  } catch (error) {
    return readRefusal(error);
  }
  throw new Error("the call was answered, not refused");
}

/** Reads the refusal of a call; throws what is no refusal. */
export function readRefusal(error: unknown): Refusal {
  if (!(error instanceof ConnectError)) throw error;
  const faults = faultsOf(error);
  return {
    code: Code[error.code] as keyof typeof Code,
    reason: reasonOf(error) ?? "",
    fields: faults.map(({ field }) => field),
    faults: faults.map(({ reason }) => reason),
    metadata: metadataOf(error),
  };
}
