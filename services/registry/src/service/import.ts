import type { ImportAgentsRequest } from "@bourse/proto/bourse/registry/v1/bulk_pb.ts";
import type { RegistryService } from "@bourse/proto/bourse/registry/v1/registry_service_pb.ts";
import type { HandlerContext, ServiceImpl } from "@connectrpc/connect";
import type { Agent } from "../agent.ts";
import { type AgentRecord, NO_TALLY, type Ruling, rule, tallied } from "../bulk.ts";
import { encodeProgress, type ReadRecord, readRecords } from "../bulk-codec.ts";
import { announce, type Registered, write } from "./entry.ts";
import type { Parts } from "./parts.ts";

/** How the agents of a message are to be registered. */
interface Options {
  readonly replaceExisting: boolean;
  readonly now: Date;
}

/** ImportAgents: a transaction for each message, one after the other. */
export function importing(parts: Parts): Pick<ServiceImpl<typeof RegistryService>, "importAgents"> {
  const { store, now } = parts;

  async function take(
    request: ImportAgentsRequest,
    ctx: Pick<HandlerContext, "signal">,
  ): Promise<readonly Ruling[]> {
    const { stopAtFault, replaceExisting } = request;
    const read = readRecords(request.agents);
    const ids = read.flatMap((one) => (isRecord(one) ? [one.agentId] : []));
    const at = now();
    const options = { replaceExisting, now: at };
    if (request.validateOnly) {
      const known = await store.readAgents(ids);
      return ruleAll(read, known, await store.readErased(ids), options);
    }
    let entered: readonly Registered[] = [];
    const rulings = await store.write(async (unit) => {
      entered = [];
      const known = await unit.lockAgents(ids);
      const absent = ids.filter(
        (id) => known.get(id)?.unregisteredAt !== undefined || !known.has(id),
      );
      const erased = absent.length === 0 ? NONE : await unit.readErased(absent);
      const ruled = ruleAll(read, known, erased, options);
      if (stopAtFault && ruled.some(isRefused)) return ruled;
      entered = ruled.filter(isEntered);
      await write(parts, unit, entered, at);
      return ruled;
    }, ctx);
    await announce(parts, entered);
    return rulings;
  }

  return {
    async *importAgents(requests, ctx) {
      let tally = NO_TALLY;
      for await (const request of requests) {
        const rulings = await take(request, ctx);
        const isOver = request.stopAtFault && rulings.some(isRefused);
        const from = tally.agents;
        if (!isOver) tally = tallied(tally, rulings);
        yield encodeProgress(tally, rulings, request.agents, from);
        if (isOver) return;
      }
    },
  };
}

const NONE: ReadonlySet<string> = new Set();

function ruleAll(
  read: readonly ReadRecord[],
  known: ReadonlyMap<string, Agent>,
  erased: ReadonlySet<string>,
  options: Options,
): readonly Ruling[] {
  return read.map((one) => {
    if (!isRecord(one)) return one;
    const { agentId } = one;
    return rule(one, { before: known.get(agentId), isErased: erased.has(agentId), ...options });
  });
}

function isRecord(read: ReadRecord): read is AgentRecord {
  return !("kind" in read);
}

function isRefused(ruling: Ruling): boolean {
  return ruling.kind === "refused";
}

function isEntered(ruling: Ruling): ruling is Ruling & { readonly kind: "entered" } {
  return ruling.kind === "entered";
}
