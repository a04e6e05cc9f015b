import {
  Health,
  HealthCheckResponse_ServingStatus,
} from "@bourse/proto/grpc/health/v1/health_pb.ts";
import { client, dial } from "@bourse/rpc";

/** What a service says of itself, or `unreachable`. */
export type HealthState = "serving" | "not serving" | "unreachable";

/** Asks the service at an address how it is; patient, since one that is slow because the machine is busy does serve. */
export async function checkHealth(address: string, timeoutMs = 5_000): Promise<HealthState> {
  const channel = dial({ address, timeoutMs });
  try {
    const { status } = await client(Health, channel).check({});
    return status === HealthCheckResponse_ServingStatus.SERVING ? "serving" : "not serving";
  } catch {
    return "unreachable";
  } finally {
    await channel[Symbol.asyncDispose]();
  }
}

/**
 * Waits until the service at an address serves; false when it does not within `timeoutMs`, or the
 * signal aborts.
 */
export async function waitUntilServing(
  address: string,
  timeoutMs: number,
  signal?: AbortSignal,
): Promise<boolean> {
  const deadline = Date.now() + timeoutMs;
  for (;;) {
    if ((await checkHealth(address)) === "serving") return true;
    if (Date.now() > deadline || signal?.aborted) return false;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}
