import {
  Health,
  HealthCheckResponse_ServingStatus as Status,
} from "@bourse/proto/grpc/health/v1/health_pb.ts";
import { client, dial } from "@bourse/rpc";

const LIMIT_MS = 3_000;
const DEFAULTS = ["127.0.0.1:7401", "127.0.0.1:7402", "127.0.0.1:7403", "127.0.0.1:7404"];

/**
 * Exits with 0 when the service of this container is SERVING: at the address given, else at BOURSE_LISTEN, else at
 * whichever of the usual ports answers.
 */
const given = process.argv[2] ?? process.env["BOURSE_LISTEN"];
const addresses =
  given === undefined ? DEFAULTS : [given.replace(/^(0\.0\.0\.0|\[::\]):/, "127.0.0.1:")];
const answers = await Promise.all(addresses.map(ask));

if (!answers.includes(Status.SERVING)) {
  const lines = addresses.map((address, index) => `${address} answers ${answers[index]}`);
  process.stderr.write(`not serving (${Status.SERVING}): ${lines.join("; ")}\n`);
  process.exitCode = 1;
}

/** The status that an address answers with, or why it does not. */
async function ask(address: string): Promise<Status | string> {
  await using channel = dial({ address, timeoutMs: LIMIT_MS });
  try {
    const { status } = await client(Health, channel).check({});
    return status;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}
