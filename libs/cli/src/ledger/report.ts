import { renameSync, writeFileSync } from "node:fs";
import { ReportFormat } from "@bourse/proto/bourse/ledger/v1/lineage_service_pb.ts";
import { timestampFromDate } from "@bufbuild/protobuf/wkt";
import { openMarket, tellingRefusals } from "./connection.ts";
import { timeOf } from "./filter.ts";

/** How a report may be written down, as `--format` names it. */
export const REPORT_FORMATS = {
  json: ReportFormat.JSON,
  csv: ReportFormat.CSV,
  html: ReportFormat.HTML,
} as const;

interface ReportOptions {
  readonly data: string;
  readonly format: keyof typeof REPORT_FORMATS;
  readonly from?: string;
  readonly to?: string;
  readonly out?: string;
}

const REPORT_MS = 300_000;

/**
 * `bourse ledger report`: writes the record of processing activities (RoPA) of a period; to a file,
 * which gets its name when it is whole, and then prints name, id and SHA-256 of the report.
 */
export async function writeReport({ data, format, from, to, out }: ReportOptions): Promise<void> {
  const request = {
    format: REPORT_FORMATS[format],
    ...(from !== undefined && { startTime: timestampFromDate(timeOf("--from", from)) }),
    ...(to !== undefined && { endTime: timestampFromDate(timeOf("--to", to)) }),
  };
  await using market = await openMarket(data);
  await tellingRefusals(async () => {
    const report = await market.lineage.exportReport(request, { timeoutMs: REPORT_MS });
    if (out === undefined) {
      process.stdout.write(report.content);
      return;
    }
    writeFileSync(`${out}.part`, report.content);
    renameSync(`${out}.part`, out);
    console.log(`${out}: ${report.reportId}, SHA-256 ${report.sha256}`);
  });
}
