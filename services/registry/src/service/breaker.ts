import type { CallReport } from "@bourse/proto/bourse/registry/v1/breaker_pb.ts";
import type { RegistryService } from "@bourse/proto/bourse/registry/v1/registry_service_pb.ts";
import { formatPrincipal, type Principal, principalKey } from "@bourse/rpc";
import type { ServiceImpl } from "@connectrpc/connect";
import { notFound } from "../agent.ts";
import { type BreakerEvent, phaseOf, type Reporter } from "../breaker.ts";
import { decodeReport, encodeBreaker } from "../breaker-codec.ts";
import type { BreakerChange } from "../breaker-store.ts";
import { normalizeCapability } from "../capability.ts";
import { decodeMs } from "../codec.ts";
import type { Parts } from "./parts.ts";

type Breaking = Pick<
  ServiceImpl<typeof RegistryService>,
  "reportCalls" | "takeProbe" | "resetBreaker"
>;

/** ReportCalls, TakeProbe and ResetBreaker. */
export function breaking(parts: Parts): Breaking {
  const { store, breakers, now } = parts;
  const change = changeBreaker(parts);

  return {
    async reportCalls({ reports }, ctx) {
      const caller = ctx.values.get(principalKey);
      for (const report of reports) measure(parts, report);
      const others = reports.filter((report) => !isOwn(report, caller));
      const groups = [...grouped(others, reporterOf(caller)).values()];
      // A success creates no breaker, so only who is said to fail must be known.
      const accused = groups.filter(isAccused).map(({ agentId }) => agentId);
      const offers = await store.readOffers([...new Set(accused)]);
      const heard = groups.filter(
        (group) => !isAccused(group) || offers.get(group.agentId)?.has(group.capability),
      );
      await Promise.all(
        heard.map(({ agentId, capability, events }) => change(agentId, capability, events)),
      );
      const accepted = heard.reduce((sum, { events }) => sum + events.length, 0);
      return { accepted, ignored: reports.length - accepted };
    },

    async takeProbe(request) {
      const capability = normalizeCapability(request.capability);
      const probe = [{ kind: "probe" }] as const;
      const { after, taken } = await breakers.change(request.agentId, capability, probe);
      return { granted: taken[0] === true, breaker: encodeBreaker(capability, after, now()) };
    },

    async resetBreaker({ agentId, capability }) {
      const agent = await store.readDeclaration(agentId);
      if (agent === undefined || agent.unregisteredAt !== undefined) throw notFound(agentId);
      const capabilities =
        capability === "" ? await breakers.list(agentId) : [normalizeCapability(capability)];
      const at = now();
      const changes = await Promise.all(
        capabilities.map(async (name) => {
          const { before } = await change(agentId, name, [{ kind: "reset" }]);
          return phaseOf(before, at.getTime()) === "CLOSED" ? [] : encodeBreaker(name, before, at);
        }),
      );
      return { breakers: changes.flat() };
    },
  };
}

/** Lets events happen to a breaker, and tells when it opens or closes by them. */
export function changeBreaker({
  breakers,
  now,
  tell,
  metrics,
}: Pick<Parts, "breakers" | "now" | "tell" | "metrics">) {
  return async (
    agentId: string,
    capability: string,
    events: readonly BreakerEvent[],
  ): Promise<BreakerChange> => {
    const change = await breakers.change(agentId, capability, events);
    const { before, after } = change;
    const opened = after?.opening;
    const fields = { agent_id: agentId, capability };
    if (opened !== undefined && opened.atMs !== before?.opening?.atMs) {
      metrics.breakerOpened(opened.cause);
      const backoffMs = opened.retryMs - opened.atMs;
      tell("breaker_opened", { ...fields, cause: opened.cause, backoff_ms: backoffMs });
    }
    const wasOpen = phaseOf(before, now().getTime()) !== "CLOSED";
    if (opened === undefined && wasOpen) tell("breaker_closed", fields);
    return change;
  };
}

interface Group {
  readonly agentId: string;
  readonly capability: string;
  readonly events: Extract<BreakerEvent, { readonly reporter: Reporter }>[];
}

function isAccused({ events }: Group): boolean {
  return events.some(({ kind }) => kind !== "success");
}

/** The reports about each breaker, in their order. */
function grouped(reports: readonly CallReport[], reporter: Reporter): ReadonlyMap<string, Group> {
  const groups = new Map<string, Group>();
  for (const report of reports) {
    const capability = normalizeCapability(report.capability);
    const key = `${report.agentId} ${capability}`;
    const group = groups.get(key) ?? { agentId: report.agentId, capability, events: [] };
    group.events.push(decodeReport(report, reporter));
    groups.set(key, group);
  }
  return groups;
}

function reporterOf(caller: Principal): Reporter {
  return { id: formatPrincipal(caller), isTrusted: caller.kind !== "agent" };
}

function isOwn({ agentId }: CallReport, caller: Principal): boolean {
  return caller.kind === "agent" && caller.id === agentId;
}

function measure({ metrics }: Parts, report: CallReport): void {
  const latencyMs = decodeMs(report.latency);
  const { kind } = decodeReport(report, { id: "", isTrusted: false });
  metrics.callReported(kind, latencyMs === undefined ? undefined : Number(latencyMs));
}
