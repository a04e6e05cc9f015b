import { streamed } from "@bourse/client";
import { Failure } from "../failure.ts";
import { openMarket, tellingRefusals } from "./connection.ts";
import { type FilterOptions, filterOf } from "./filter.ts";
import { FORMATS } from "./lines.ts";
import { reputationLines } from "./reputation.ts";
import { openSink } from "./sink.ts";

interface ExportOptions extends FilterOptions {
  readonly data: string;
  readonly format: keyof typeof FORMATS | "reputation";
  readonly out?: string;
  readonly resume?: string;
}

/**
 * `bourse ledger export`: writes a history as a stream, at the pace of whoever reads it. A file gets
 * its name when it is whole. When the export breaks off, the token behind the last line that was
 * written is told; going on with it appends to the file that was left.
 */
export async function exportHistory(options: ExportOptions): Promise<void> {
  const { data, format, out, resume = "" } = options;
  if (format === "reputation") return exportReputation(options);
  const { head, lines } = FORMATS[format];
  await using market = await openMarket(data);
  const request = { ...filterOf(options), resumeToken: resume };
  await using sink = await openSink(out, resume !== "");
  let written = resume;
  await tellingRefusals(async () => {
    try {
      if (resume === "" && head !== "") await sink.write(head);
      const events = streamed((signal) => market.ledger.exportHistory(request, { signal }));
      for await (const event of events) {
        if (!(await sink.write(lines(event)))) return;
        written = event.resumeToken;
      }
      await sink.finish();
    } catch (error) {
      if (written !== resume) console.error(`go on with --resume ${written}`);
      throw error;
    }
  });
}

async function exportReputation(options: ExportOptions): Promise<void> {
  const { data, out, resume } = options;
  if (resume !== undefined) throw new Failure("--format reputation cannot be resumed");
  await using market = await openMarket(data);
  await using sink = await openSink(out, false);
  await tellingRefusals(async () => {
    for await (const line of reputationLines(market, options)) {
      if (!(await sink.write(line))) return;
    }
    await sink.finish();
  });
}
