import { ExportAgentsResponseSchema } from "@bourse/proto/bourse/registry/v1/bulk_pb.ts";
import type { RegistryService } from "@bourse/proto/bourse/registry/v1/registry_service_pb.ts";
import { encoded } from "@bourse/rpc";
import type { ServiceImpl } from "@connectrpc/connect";
import { encodeExport } from "../bulk-codec.ts";
import type { AgentFilter } from "../store.ts";
import type { Parts } from "./parts.ts";

/** Agents that are read at once. */
const PAGE = 200;

/** Tombstones as well: a page by key alone is read from the index of keys, whatever the statistics say. */
const EVERY: AgentFilter = {
  capabilities: [],
  declaredState: undefined,
  metadata: {},
  includeUnregistered: true,
};

/** ExportAgents: pages by key, so that nothing is held while the caller reads. */
export function exporting({
  store,
}: Parts): Pick<ServiceImpl<typeof RegistryService>, "exportAgents"> {
  return {
    async *exportAgents({ afterAgentId }, ctx) {
      for (let after = afterAgentId; !ctx.signal.aborted; ) {
        const page = await store.listAgents(EVERY, after, PAGE);
        const registered = page.filter((agent) => agent.unregisteredAt === undefined);
        const answers = encodeExport(registered);
        for (const bytes of answers) yield encoded(ExportAgentsResponseSchema, bytes);
        const last = page.at(-1);
        if (last === undefined || page.length < PAGE) return;
        after = last.id;
      }
    },
  };
}
