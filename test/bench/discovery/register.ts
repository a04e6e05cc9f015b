import {
  BatchRegisterAgentsRequestSchema,
  RegistryService,
} from "@bourse/proto/bourse/registry/v1/registry_service_pb.ts";
import { type Caller, openCaller } from "@bourse/rpc/bench";
import { create, toBinary } from "@bufbuild/protobuf";
import { agentOf, registrationOf } from "./population.ts";
import type { Census } from "./wanted.ts";

/** What one call registers: as many as it may. */
const PARCEL = 1_000;
const CALLERS = 4;
/** Calls whose requests are made before they are sent; making them is not timed. */
const READY = 40;

const METHOD = `${RegistryService.typeName}/BatchRegisterAgents`;

/** Registers the agents that the census lacks until there are `size`; answers with how long the calls took. */
export async function registerUntil(
  size: number,
  options: {
    readonly address: string;
    readonly token: string;
    readonly census: Census;
    readonly signal: AbortSignal;
  },
): Promise<{ readonly seconds: number }> {
  const { address, token, census, signal } = options;
  using caller = openCaller(address, token);
  let tookMs = 0;
  while (census.size < size) {
    signal.throwIfAborted();
    const messages: Uint8Array[] = [];
    while (messages.length < READY && census.size < size) messages.push(parcel(census, size));
    const startedAt = performance.now();
    await sendAll(caller, messages);
    tookMs += performance.now() - startedAt;
  }
  return { seconds: tookMs / 1_000 };
}

function parcel(census: Census, size: number): Uint8Array {
  const requests = [];
  while (requests.length < PARCEL && census.size < size) {
    const agent = agentOf(census.size);
    census.add(agent);
    requests.push(registrationOf(agent));
  }
  const request = create(BatchRegisterAgentsRequestSchema, { requests });
  return toBinary(BatchRegisterAgentsRequestSchema, request);
}

async function sendAll(caller: Caller, messages: readonly Uint8Array[]): Promise<void> {
  const waiting = messages.values();
  const sender = async () => {
    for (const message of waiting) await caller.call(METHOD, message);
  };
  await Promise.all(Array.from({ length: CALLERS }, sender));
}
