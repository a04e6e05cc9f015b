import { join } from "node:path";
import { startCompanion } from "./companion.ts";
import { BenchFailure } from "./failure.ts";
import { type Load, type LoadMeasure, warmUpMsOf } from "./h2load.ts";
import type { VariedRequest } from "./varied-caller.ts";

/**
 * Puts a load on a server as `runLoad` does, but each call with the next of its messages, from a process of its own.
 * What is answered is HTTP only, as there.
 * @throws BenchFailure when no call was answered in time; Error when a connection broke
 */
export async function runVaried(load: Load): Promise<LoadMeasure> {
  const { address, path, messages, token, connections, streams, seconds, signal } = load;
  const { hostname: host, port } = new URL(`http://${address}`);
  await using caller = startCompanion(join(import.meta.dirname, "varied-caller.ts"), { signal });
  const measure = await caller.ask<LoadMeasure>({
    host,
    port: Number(port),
    path,
    token,
    messages: messages.map((message) => Buffer.from(message).toString("base64")),
    connections,
    streams,
    warmUpMs: warmUpMsOf(seconds),
    measuredMs: seconds * 1_000,
  } satisfies VariedRequest);
  if (measure.calls === 0) throw new BenchFailure(`${path}: no answer in time; try more --seconds`);
  return measure;
}
