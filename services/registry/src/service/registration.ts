import {
  type BatchRegisterAgentsResponse,
  BatchRegisterAgentsResponseSchema,
  type RegisterAgentRequest,
  RegisterAgentRequestSchema,
  RegisterAgentResponseSchema,
  type RegistryService,
} from "@bourse/proto/bourse/registry/v1/registry_service_pb.ts";
import { cancellationOf, encoded } from "@bourse/rpc";
import type { Fault } from "@bourse/rpc/rejection";
import {
  answerOnceEncoded,
  contentOf as contentOfRequest,
  mutationRequest,
} from "@bourse/service/mutation";
import {
  personalDataFaults,
  refusePersonalData,
  refusePersonalDataFaults,
} from "@bourse/service/personal-data";
import type { HandlerContext, ServiceImpl } from "@connectrpc/connect";
import { arrivalOf, type Registration, refuseDuplicates, refuseTaken } from "../agent.ts";
import { agentAnswerBytes, batchAnswerBytes } from "../agent-bytes.ts";
import type { Presence } from "../availability.ts";
import { decodeRegistration, encodeAgent } from "../codec.ts";
import { refuseErased } from "../erasure.ts";
import {
  announce,
  enter,
  enteredBy,
  eventsOf,
  fieldOf,
  planned,
  presenceAfter,
  type Registered,
} from "./entry.ts";
import type { Parts } from "./parts.ts";

type Registering = Pick<
  ServiceImpl<typeof RegistryService>,
  "registerAgent" | "batchRegisterAgents"
>;

/** RegisterAgent and BatchRegisterAgents: the same rules for one and for many. */
export function registering(parts: Parts): Registering {
  const { store, mutations, availability, now, newId } = parts;

  async function dryRun(registrations: readonly Registration[], at: Date): Promise<Registered[]> {
    const ids = registrations.map(({ agentId }) => agentId);
    refuseDuplicates(ids);
    const known = await store.readAgents(ids);
    refuseErased(ids, await store.readErased(ids), fieldOf(registrations));
    refuseTaken(registrations, known);
    return planned(registrations, known, at);
  }

  /** What is known of those that may be replaced, read before there is a transaction to hold up. */
  async function readPresences(registrations: readonly Registration[]): Promise<Presences> {
    const replaced = registrations.filter(({ replaceExisting }) => replaceExisting);
    if (replaced.length === 0) return new Map();
    return availability.read(replaced.map(({ agentId }) => agentId));
  }

  async function registerAll(
    registrations: readonly Registration[],
    { id, validateOnly }: { readonly id: string; readonly validateOnly: boolean },
    ctx: HandlerContext,
  ): Promise<BatchRegisterAgentsResponse> {
    const presences = await readPresences(registrations);
    const encode = (registered: readonly Registered[], at: Date) =>
      batchAnswerBytes(
        registered.map((one) => {
          return { agent: one.agent, presence: presenceAfter(one, presences, at), now: at };
        }),
      );
    if (validateOnly) {
      const at = now();
      const bytes = encode(await dryRun(registrations, at), at);
      return encoded(BatchRegisterAgentsResponseSchema, bytes);
    }
    let done: readonly Registered[] = [];
    const content = () => contentOf(registrations);
    const bytes = await store.write(
      (unit) =>
        answerOnceEncoded(unit.tx, ctx, { id, content }, async () => {
          const at = now();
          done = await enter(parts, unit, registrations, at);
          return encode(done, at);
        }),
      ctx,
    );
    await announce(parts, done);
    return encoded(BatchRegisterAgentsResponseSchema, bytes);
  }

  return {
    async registerAgent(request, ctx) {
      refusePersonalData({ "profile.capabilities": request.profile?.capabilities });
      const registration = decodeRegistration(request);
      if (request.validateOnly) {
        const presences = await readPresences([registration]);
        const at = now();
        const [one] = await dryRun([registration], at);
        return { agent: one && encodeAgent(one.agent, presenceAfter(one, presences, at), at) };
      }
      const { agentId } = registration;
      const content = () => contentOfRequest(RegisterAgentRequestSchema, request);
      const { answer, before, after } = await mutations.submit(
        {
          agentId,
          request: mutationRequest(ctx, { id: request.requestId, content }),
          // It may replace one.
          tellsPresence: registration.replaceExisting,
          decide({ agent, isErased, presence, at }) {
            if (isErased) refuseErased([agentId], new Set([agentId]), fieldOf([registration]));
            const known = new Map(agent === undefined ? [] : [[agentId, agent]]);
            refuseTaken([registration], known);
            const one = enteredBy(registration, agent, at);
            const presences = new Map(presence === undefined ? [] : [[agentId, presence]]);
            const heard = presenceAfter(one, presences, at);
            const [event] = eventsOf([one], at, newId);
            return {
              answer: agentAnswerBytes({ agent: one.agent, presence: heard, now: at }),
              after: one.agent,
              isRankedAnew: one.arrival === "returned",
              ...(event !== undefined && { event }),
            };
          },
        },
        { signal: cancellationOf(ctx) },
      );
      if (after !== undefined)
        await announce(parts, [{ agent: after, arrival: arrivalOf(before) }]);
      return encoded(RegisterAgentResponseSchema, answer);
    },

    batchRegisterAgents(request, ctx) {
      const { requestId: id, validateOnly } = request;
      refusePersonalDataFaults(request.requests.flatMap(personalFaults));
      // What is read of the request need not live until they are registered.
      return registerAll(request.requests.map(decodeRegistration), { id, validateOnly }, ctx);
    },
  };
}

type Presences = ReadonlyMap<string, Presence>;

function personalFaults({ profile }: RegisterAgentRequest, nth: number): readonly Fault[] {
  return personalDataFaults(profile?.capabilities, `requests[${nth}].profile.capabilities`);
}

/** What a repetition must repeat: all that is registered, as it is stored. */
function contentOf(registrations: readonly Registration[]): Uint8Array {
  const told = registrations.map(
    ({ agentId, declaredState, leaseMs, replaceExisting, profile }) => {
      return [agentId, declaredState, leaseMs ?? 0, replaceExisting, profile.encoded.length];
    },
  );
  const profiles = registrations.map(({ profile }) => profile.encoded);
  return Buffer.concat([Buffer.from(JSON.stringify(told)), ...profiles]);
}
