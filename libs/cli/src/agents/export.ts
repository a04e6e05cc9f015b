import { streamed } from "@bourse/client";
import { openMarket, tellingRefusals } from "../ledger/connection.ts";
import { openSink } from "../ledger/sink.ts";
import { FORMATS } from "./write.ts";

interface ExportOptions {
  readonly data: string;
  readonly format: keyof typeof FORMATS;
  readonly out?: string;
  readonly after?: string;
}

/** `bourse agents export`: writes all agents by id, at the pace of whoever reads them. */
export async function exportAgents(options: ExportOptions): Promise<void> {
  const { data, format, out, after = "" } = options;
  const { head, lines } = FORMATS[format];
  await using market = await openMarket(data);
  await using sink = await openSink(out, after !== "");
  let written = after;
  await tellingRefusals(async () => {
    try {
      if (after === "" && head !== "") await sink.write(head);
      const open = (signal: AbortSignal) =>
        market.registry.exportAgents({ afterAgentId: after }, { signal });
      for await (const { agents, resumeAfter } of streamed(open)) {
        if (!(await sink.write(agents.map(lines).join("")))) return;
        written = resumeAfter;
      }
      await sink.finish();
    } catch (error) {
      if (written !== after) console.error(`go on with --after ${written}`);
      throw error;
    }
  });
}
