import { type CallReport, CallResult } from "@bourse/proto/bourse/registry/v1/breaker_pb.ts";
import type { RegistryService } from "@bourse/proto/bourse/registry/v1/registry_service_pb.ts";
import { formatPrincipal, type Principal, principalKey } from "@bourse/rpc";
import { decodePageToken, encodePageToken, pageSize } from "@bourse/rpc/page";
import type { ServiceImpl } from "@connectrpc/connect";
import { notFound } from "../agent.ts";
import { type BreakerEvent, phaseOf, type Reporter } from "../breaker.ts";
import { callKind, decodePhase, decodeReport, encodeBreaker } from "../breaker-codec.ts";
import { pageOfBreakers } from "../breaker-page.ts";
import type { BreakerChange } from "../breaker-store.ts";
import { normalizeCapability } from "../capability.ts";
import { decodeMs } from "../codec.ts";
import type { Parts } from "./parts.ts";

type Breaking = Pick<
  ServiceImpl<typeof RegistryService>,
  "reportCalls" | "takeProbe" | "listBreakers" | "resetBreaker"
>;

/** ReportCalls, TakeProbe, ListBreakers and ResetBreaker. */
export function breaking(parts: Parts): Breaking {
  const { store, breakers, now } = parts;
  const change = changeBreaker(parts);

  return {
    async reportCalls({ reports }, ctx) {
      const caller = ctx.values.get(principalKey);
      for (const report of reports) measure(parts, report);
      const others = reports.filter((report) => !isOwn(report, caller));
      const groups = [...grouped(others).values()];
      // A success creates no breaker and counts whoever tells of it, so only who is said to fail must be known.
      const accused = [...new Set(groups.filter(isAccused).map(({ agentId }) => agentId))];
      const [offers, providers] = await Promise.all([
        store.readOffers(accused),
        caller.kind === "agent" ? store.readProviders(caller.id, accused) : new Set<string>(),
      ]);
      const heard = groups.filter(
        (group) => !isAccused(group) || offers.get(group.agentId)?.has(group.capability),
      );
      await Promise.all(
        heard.map(({ agentId, capability, reports }) => {
          const reporter = reporterOf(caller, providers.has(agentId));
          const events = reports.map((report) => decodeReport(report, reporter));
          return change(agentId, capability, events);
        }),
      );
      const accepted = heard.reduce((sum, group) => sum + group.reports.length, 0);
      return { accepted, ignored: reports.length - accepted };
    },

    async takeProbe(request) {
      const capability = normalizeCapability(request.capability);
      const probe = [{ kind: "probe" }] as const;
      const { after, taken } = await breakers.change(request.agentId, capability, probe);
      return { granted: taken[0] === true, breaker: encodeBreaker(capability, after, now()) };
    },

    listBreakers(request) {
      const at = now();
      const filter = {
        agentId: request.agentId,
        capability: normalizeCapability(request.capability),
        phase: decodePhase(request.state),
      };
      const cursor = decodePageToken(filter, request.pageToken, 2);
      const [agentId = "", capability = ""] = cursor ?? [];
      const page = pageOfBreakers(breakers.all(), filter, {
        after: cursor && { agentId, capability },
        size: pageSize(request.pageSize),
        nowMs: at.getTime(),
      });
      const last = page.breakers.at(-1);
      return {
        breakers: page.breakers.map((one) => ({
          agentId: one.agentId,
          breaker: encodeBreaker(one.capability, one.breaker, at),
        })),
        nextPageToken:
          page.isLast || last === undefined
            ? ""
            : encodePageToken(filter, [last.agentId, last.capability]),
        totalSize: BigInt(page.total),
        stale: breakers.isStale(),
      };
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
  readonly reports: CallReport[];
}

function isAccused({ reports }: Group): boolean {
  return reports.some(({ result }) => result !== CallResult.SUCCESS);
}

/** The reports about each breaker, in their order. */
function grouped(reports: readonly CallReport[]): ReadonlyMap<string, Group> {
  const groups = new Map<string, Group>();
  for (const report of reports) {
    const capability = normalizeCapability(report.capability);
    const key = `${report.agentId} ${capability}`;
    const group = groups.get(key) ?? { agentId: report.agentId, capability, reports: [] };
    group.reports.push(report);
    groups.set(key, group);
  }
  return groups;
}

function reporterOf(caller: Principal, isCustomer: boolean): Reporter {
  const ofAgent = isCustomer ? "customer" : "stranger";
  return { id: formatPrincipal(caller), standing: caller.kind === "agent" ? ofAgent : "trusted" };
}

function isOwn({ agentId }: CallReport, caller: Principal): boolean {
  return caller.kind === "agent" && caller.id === agentId;
}

function measure({ metrics }: Parts, report: CallReport): void {
  const latencyMs = decodeMs(report.latency);
  metrics.callReported(callKind(report), latencyMs === undefined ? undefined : Number(latencyMs));
}
