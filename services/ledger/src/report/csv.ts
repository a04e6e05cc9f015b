import { stringify } from "csv-stringify/sync";
import { activityOf, RECORD_RETENTION } from "./activities.ts";
import type { Report } from "./report.ts";

const COLUMNS = [
  ...["section", "name", "description", "events", "subjects"],
  ...["first_time", "last_time", "detail"],
] as const;

type Row = Partial<Readonly<Record<(typeof COLUMNS)[number], string | number>>>;

/**
 * The report as one table (RFC 4180): the column `section` says what a row is about. A cell that a spreadsheet would
 * take for a formula begins with an apostrophe.
 */
export function toCsv(report: Report): string {
  return stringify([...rowsOf(report)], {
    header: true,
    columns: [...COLUMNS],
    record_delimiter: "windows",
    escape_formulas: true,
  });
}

function* rowsOf(report: Report): Generator<Row> {
  const { tallies, period } = report;
  yield {
    section: "report",
    name: report.reportId,
    description: report.controller,
    events: tallies.events,
    subjects: tallies.subjects,
    first_time: period.from.toISOString(),
    last_time: period.until.toISOString(),
    detail: tallies.last === undefined ? "" : `${tallies.last.sequence} ${tallies.last.hash}`,
  };
  for (const activity of report.activities) {
    const { name, purpose, events, people: subjects, retention } = activity;
    yield { section: "activity", name, description: purpose, events, subjects, detail: retention };
    for (const each of activity.data) yield { section: "data", name, description: each };
    for (const each of activity.subjects) yield { section: "concerned", name, description: each };
    for (const each of activity.recipients) yield { section: "recipient", name, description: each };
  }
  yield { section: "retention", name: "Events", description: RECORD_RETENTION };
  for (const { type, source, events, subjects, first, last } of tallies.types) {
    yield {
      section: "event_type",
      name: type,
      description: activityOf(type).name,
      events,
      subjects,
      first_time: first.toISOString(),
      last_time: last.toISOString(),
      detail: source,
    };
  }
  for (const { role, name, events, subjects } of report.roles) {
    yield { section: "subjects", name: role, description: name, events, subjects };
  }
  for (const { id, requestedAt, completedAt } of tallies.erasures) {
    yield {
      section: "erasure",
      name: id,
      first_time: requestedAt?.toISOString() ?? "",
      last_time: completedAt?.toISOString() ?? "",
    };
  }
  for (const safeguard of report.safeguards) yield { section: "safeguard", description: safeguard };
}
