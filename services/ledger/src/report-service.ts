import { createHash } from "node:crypto";
import {
  type LineageService,
  ReportFormat,
} from "@bourse/proto/bourse/ledger/v1/lineage_service_pb.ts";
import type { ServiceImpl } from "@connectrpc/connect";
import { rejectFaults } from "./limit.ts";
import { toCsv } from "./report/csv.ts";
import { toHtml } from "./report/html.ts";
import { makeReport, type Period, type Report, toJson } from "./report/report.ts";
import type { LineageStore } from "./store.ts";
import { decodeTime } from "./time.ts";

/** What the report is made of. */
export interface ReportOptions {
  readonly store: Pick<LineageStore, "tally">;
  readonly now: () => Date;
  /** Who answers for the processing; "" when nobody said. */
  readonly controller: string;
}

/** The span of a report that names no beginning. */
const DEFAULT_SPAN_MS = 30 * 86_400_000;

interface Form {
  readonly mediaType: string;
  readonly extension: string;
  readonly write: (report: Report) => string;
}

const JSON_FORM: Form = {
  mediaType: "application/json",
  extension: "json",
  write: (report) => `${JSON.stringify(toJson(report), undefined, 2)}\n`,
};

const FORMS: Partial<Record<ReportFormat, Form>> = {
  [ReportFormat.CSV]: { mediaType: "text/csv", extension: "csv", write: toCsv },
  [ReportFormat.HTML]: { mediaType: "text/html", extension: "html", write: toHtml },
};

/** ExportReport: counts on one snapshot, and writes what was counted. */
export function reports({
  store,
  now,
  controller,
}: ReportOptions): Pick<ServiceImpl<typeof LineageService>, "exportReport"> {
  return {
    async exportReport(request, ctx) {
      const until = decodeTime("end_time", request.endTime) ?? now();
      const from =
        decodeTime("start_time", request.startTime) ?? new Date(until.getTime() - DEFAULT_SPAN_MS);
      const description = "must be before end_time";
      const isFault = from >= until;
      rejectFaults([
        isFault ? { field: "start_time", reason: "EMPTY_PERIOD", description } : undefined,
      ]);
      const period: Period = { from, until };
      const report = makeReport(controller, period, await store.tally(period, ctx));
      const form = FORMS[request.format] ?? JSON_FORM;
      const content = Buffer.from(form.write(report));
      const [first, last] = [from, until].map((at) => at.toISOString().slice(0, 10));
      return {
        reportId: report.reportId,
        content,
        mediaType: form.mediaType,
        fileName: `ropa-${first}-${last}.${form.extension}`,
        sha256: createHash("sha256").update(content).digest("hex"),
      };
    },
  };
}
