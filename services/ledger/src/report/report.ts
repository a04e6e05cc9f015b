import { createHash } from "node:crypto";
import { canonicalJson, type JsonObject } from "@bourse/proof";
import {
  ACTIVITIES,
  type Activity,
  activityOf,
  OTHER,
  RECORD_RETENTION,
  ROLES,
  SAFEGUARDS,
} from "./activities.ts";

/** The span of a report, by the time of events; the end does not belong to it. */
export interface Period {
  readonly from: Date;
  readonly until: Date;
}

/** How many events of one type one service told, and of whom. */
export interface TypeTally {
  readonly type: string;
  readonly source: string;
  readonly events: number;
  /** Different pseudonyms. */
  readonly subjects: number;
  readonly first: Date;
  readonly last: Date;
}

/** What was counted over a period, all at one instant. */
export interface Tallies {
  readonly types: readonly TypeTally[];
  /** Different pseudonyms over all types of an activity, by its id. */
  readonly subjectsByActivity: Readonly<Record<string, number>>;
  readonly roles: readonly {
    readonly role: string;
    readonly events: number;
    readonly subjects: number;
  }[];
  /** Events by the first instant of a day or month (UTC); those without any are left out. */
  readonly spans: readonly { readonly from: Date; readonly events: number }[];
  readonly events: number;
  readonly subjects: number;
  /** Of these pseudonyms, those that nobody can resolve any more. */
  readonly unlinked: number;
  readonly tasks: number;
  /** The last event of the period in the order of the record; undefined when there is none. */
  readonly last: { readonly sequence: bigint; readonly hash: string } | undefined;
  /** Asked for or completed in the period, in order; those beyond a limit are counted only. */
  readonly erasures: readonly Erasure[];
  readonly erasuresRequested: number;
  readonly erasuresCompleted: number;
}

/** An erasure; a time that lies outside of the period is left out. */
export interface Erasure {
  readonly id: string;
  readonly requestedAt: Date | undefined;
  readonly completedAt: Date | undefined;
}

/** An activity with what happened of it. */
export interface ActivityEntry extends Activity {
  readonly events: number;
  readonly people: number;
  readonly types: readonly TypeTally[];
}

/** A record of processing activities (Article 30 GDPR) over a period. */
export interface Report {
  /** Follows from everything else in the report. */
  readonly reportId: string;
  /** Who answers for the processing, as configured; "" when nobody said. */
  readonly controller: string;
  readonly period: Period;
  readonly tallies: Tallies;
  /** Those that are described, and last, if there are any, the events that are not. */
  readonly activities: readonly ActivityEntry[];
  readonly roles: readonly {
    readonly role: string;
    readonly name: string;
    readonly events: number;
    readonly subjects: number;
  }[];
  readonly recipients: readonly { readonly name: string; readonly activities: readonly string[] }[];
  readonly safeguards: readonly string[];
}

/** Makes the report of what was counted; the same for the same counts. */
export function makeReport(controller: string, period: Period, tallies: Tallies): Report {
  const activities = [...ACTIVITIES, OTHER]
    .map((activity) => entryOf(activity, tallies))
    .filter(({ id, events }) => id !== OTHER.id || events > 0);
  const names = new Set(activities.flatMap(({ recipients }) => recipients));
  const report = {
    reportId: "",
    controller,
    period,
    tallies,
    activities,
    roles: tallies.roles.map((tally) => ({ ...tally, name: ROLES[tally.role] ?? tally.role })),
    recipients: [...names].map((name) => ({
      name,
      activities: activities.filter((one) => one.recipients.includes(name)).map((one) => one.name),
    })),
    safeguards: SAFEGUARDS,
  };
  const digest = createHash("sha256")
    .update(canonicalJson(toJson(report)))
    .digest("hex");
  return { ...report, reportId: `ropa-${digest.slice(0, 24)}` };
}

function entryOf(activity: Activity, tallies: Tallies): ActivityEntry {
  const types = tallies.types.filter(({ type }) => activityOf(type).id === activity.id);
  return {
    ...activity,
    types,
    events: types.reduce((sum, { events }) => sum + events, 0),
    people: tallies.subjectsByActivity[activity.id] ?? 0,
  };
}

/** The report as a JSON object whose members have the names of the contract's field notation. */
export function toJson(report: Report): JsonObject {
  const { period, tallies } = report;
  return {
    format: "bourse.ropa.v1",
    report_id: report.reportId,
    controller: report.controller,
    period: { start_time: time(period.from), end_time: time(period.until) },
    totals: {
      events: tallies.events,
      event_types: new Set(tallies.types.map(({ type }) => type)).size,
      subjects: tallies.subjects,
      subjects_unlinked: tallies.unlinked,
      tasks: tallies.tasks,
      erasures_requested: tallies.erasuresRequested,
      erasures_completed: tallies.erasuresCompleted,
    },
    activities: report.activities.map((activity) => ({
      activity: activity.id,
      name: activity.name,
      purpose: activity.purpose,
      categories_of_subjects: activity.subjects,
      categories_of_data: activity.data,
      recipients: activity.recipients,
      retention: activity.retention,
      events: activity.events,
      subjects: activity.people,
    })),
    retention_of_events: RECORD_RETENTION,
    event_types: tallies.types.map((tally) => ({
      type: tally.type,
      source: tally.source,
      activity: activityOf(tally.type).id,
      events: tally.events,
      subjects: tally.subjects,
      first_time: time(tally.first),
      last_time: time(tally.last),
    })),
    subjects: report.roles.map(({ role, name, events, subjects }) => ({
      role,
      name,
      events,
      subjects,
    })),
    recipients: report.recipients.map(({ name, activities }) => ({ name, activities })),
    erasures: tallies.erasures.map(({ id, requestedAt, completedAt }) => ({
      erasure_id: id,
      request_time: requestedAt === undefined ? null : time(requestedAt),
      complete_time: completedAt === undefined ? null : time(completedAt),
    })),
    safeguards: report.safeguards,
    record: {
      last_sequence: tallies.last === undefined ? null : String(tallies.last.sequence),
      last_hash: tallies.last?.hash ?? null,
    },
  };
}

function time(at: Date): string {
  return at.toISOString();
}
