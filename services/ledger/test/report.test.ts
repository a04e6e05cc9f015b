import { createHash, randomUUIDv7 } from "node:crypto";
import { ReportFormat } from "@bourse/proto/bourse/ledger/v1/lineage_service_pb.ts";
import { faultsOf, reasonOf } from "@bourse/rpc";
import { timestampFromDate } from "@bufbuild/protobuf/wkt";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { ACTIVITIES, activityOf } from "../src/report/activities.ts";
import { toCsv } from "../src/report/csv.ts";
import { toHtml } from "../src/report/html.ts";
import { makeReport, type Tallies, toJson } from "../src/report/report.ts";
import { CONTROLLER, startLedger, type TestLedger } from "./server.ts";

const NOON = new Date("2026-11-21T12:00:00.000Z");
const NOVEMBER = {
  startTime: timestampFromDate(new Date("2026-11-01T00:00:00Z")),
  endTime: timestampFromDate(new Date("2026-12-01T00:00:00Z")),
};

let market: TestLedger;
beforeAll(async () => {
  market = await startLedger({ now: () => NOON });
  await tellAStory();
});
afterAll(async () => {
  await market[Symbol.asyncDispose]();
});

function anEvent(
  type: string,
  day: number,
  subjects: Record<string, string> = {},
  rest: { readonly taskId?: string; readonly payload?: Record<string, string> } = {},
) {
  const eventTime = timestampFromDate(new Date(Date.UTC(2026, 10, day, 10)));
  return { eventId: `${type}/${randomUUIDv7()}`, type, eventTime, subjects, ...rest };
}

/** Ann and Bob register, Ann asks Bob for work, and Bob is erased; once more in December. */
async function tellAStory(): Promise<void> {
  const erasure = { payload: { erasure_id: "6f6c6f6f-0000-7000-8000-000000000001" } };
  await market.as("service:registry").lineage.appendEvents({
    events: [
      anEvent("agent_registered", 2, { agent: "ann" }),
      anEvent("agent_registered", 2, { agent: "bob" }),
      anEvent("agent_registered", 30, { agent: "cat" }),
      anEvent("agent_registered", 31, { agent: "dan" }),
      anEvent("erasure_requested", 20, {}, erasure),
      anEvent("agent_erased", 21, {}, erasure),
      anEvent("comet_sighted", 4),
    ],
  });
  const task = { taskId: "task-1" };
  await market.as("service:auction").lineage.appendEvents({
    events: [
      anEvent("auction_created", 3, { requester: "ann" }, task),
      anEvent("bid_submitted", 3, { requester: "ann", agent: "bob" }, task),
      anEvent("task_awarded", 4, { requester: "ann", winner: "bob" }, task),
    ],
  });
  const alias = `erased-${"0".repeat(24)}`;
  await market.as("service:registry").ledger.eraseAgent({ agentId: "bob", alias });
}

async function exported(format: ReportFormat) {
  return market.as("auditor").lineage.exportReport({ ...NOVEMBER, format });
}

const textOf = (content: Uint8Array) => Buffer.from(content).toString();

describe("ExportReport", () => {
  test("counts what happened in the period, by activity, type and part", async () => {
    const { content, reportId } = await exported(ReportFormat.JSON);
    const report = JSON.parse(textOf(content));

    expect(report).toMatchObject({
      format: "bourse.ropa.v1",
      report_id: reportId,
      controller: CONTROLLER,
      period: { start_time: "2026-11-01T00:00:00.000Z", end_time: "2026-12-01T00:00:00.000Z" },
      totals: {
        events: 9,
        event_types: 7,
        subjects: 3,
        subjects_unlinked: 1,
        tasks: 1,
        erasures_requested: 1,
        erasures_completed: 1,
      },
      subjects: [
        { role: "agent", events: 4, subjects: 3 },
        { role: "requester", events: 3, subjects: 1 },
        { role: "winner", events: 1, subjects: 1 },
      ],
      erasures: [
        {
          erasure_id: "6f6c6f6f-0000-7000-8000-000000000001",
          request_time: "2026-11-20T10:00:00.000Z",
          complete_time: "2026-11-21T10:00:00.000Z",
        },
      ],
    });
    const counts = report.activities.map((one: Record<string, unknown>) => [
      one["activity"],
      one["events"],
      one["subjects"],
    ]);
    expect(counts).toEqual([
      ["registration", 3, 3],
      ["auction", 2, 2],
      ["performance", 1, 2],
      ["reputation", 0, 0],
      ["disputes", 0, 0],
      ["accounts", 0, 0],
      ["erasure", 2, 0],
      ["other", 1, 0],
    ]);
    expect(report.event_types).toContainEqual({
      type: "agent_registered",
      source: "registry",
      activity: "registration",
      events: 3,
      subjects: 3,
      first_time: "2026-11-02T10:00:00.000Z",
      last_time: "2026-11-30T10:00:00.000Z",
    });
  });

  test.each([
    [ReportFormat.JSON, "application/json", "ropa-2026-11-01-2026-12-01.json"],
    [ReportFormat.CSV, "text/csv", "ropa-2026-11-01-2026-12-01.csv"],
    [ReportFormat.HTML, "text/html", "ropa-2026-11-01-2026-12-01.html"],
  ])(
    "gives the same bytes again, and says what they are (%s)",
    async (format, mediaType, fileName) => {
      const first = await exported(format);
      const again = await exported(format);

      expect(again).toEqual(first);
      expect(first).toMatchObject({
        mediaType,
        fileName,
        sha256: createHash("sha256").update(first.content).digest("hex"),
      });
      expect(textOf(first.content)).toContain(first.reportId);
      expect(textOf(first.content)).not.toMatch(/\b(ann|bob|cat)\b/);
    },
  );

  test("covers the thirty days before now when no time is given", async () => {
    const { content } = await market.as("operator").lineage.exportReport({});

    expect(JSON.parse(textOf(content)).period).toEqual({
      start_time: "2026-10-22T12:00:00.000Z",
      end_time: "2026-11-21T12:00:00.000Z",
    });
  });

  test("of a period in which nothing happened says so", async () => {
    const [startTime, endTime] = [2030, 2031].map((year) =>
      timestampFromDate(new Date(`${year}-01-01T00:00:00Z`)),
    );
    const { content } = await market.as("auditor").lineage.exportReport({
      ...(startTime && { startTime }),
      ...(endTime && { endTime }),
      format: ReportFormat.HTML,
    });

    expect(textOf(content)).toContain("None was asked for or completed.");
  });

  test("refuses a period without an instant", async () => {
    const { startTime } = NOVEMBER;
    const call = market.as("auditor").lineage.exportReport({ startTime, endTime: startTime });

    const error: unknown = await call.catch((thrown: unknown) => thrown);

    expect(reasonOf(error)).toBe("INVALID_REQUEST");
    expect(faultsOf(error).map(({ field }) => field)).toEqual(["start_time"]);
  });

  test.each(["agent:ann", "service:auction"])("is not for %s", async (principal) => {
    const error: unknown = await market
      .as(principal)
      .lineage.exportReport({})
      .catch((thrown: unknown) => thrown);

    expect(reasonOf(error)).toBe("PERMISSION_DENIED");
  });
});

const PERIOD = { from: new Date("2026-11-01T00:00:00Z"), until: new Date("2026-12-01T00:00:00Z") };

/** Counts in which every text tries to be more than a text. */
function hostile(text: string): Tallies {
  const at = new Date("2026-11-05T00:00:00Z");
  return {
    types: [{ type: text, source: text, events: 1_234_567, subjects: 1, first: at, last: at }],
    subjectsByActivity: { other: 1 },
    roles: [{ role: text, events: 1, subjects: 1 }],
    spans: [{ from: at, events: 1 }],
    events: 1,
    subjects: 1,
    unlinked: 0,
    tasks: 0,
    last: { sequence: 1n, hash: "ab".repeat(32) },
    erasures: [{ id: text, requestedAt: undefined, completedAt: at }],
    erasuresRequested: 0,
    erasuresCompleted: 1,
  };
}

describe("a report", () => {
  test("escapes all that comes from events and from the environment", () => {
    const attack = `"><script>alert('x')</script>&`;

    const page = toHtml(makeReport(attack, PERIOD, hostile(attack)));

    expect(page).not.toContain("<script");
    expect(page.match(/&#60;script&#62;alert\(&#39;x&#39;\)/g)?.length).toBeGreaterThanOrEqual(5);
    expect(page).toContain("default-src 'none'");
    expect(page).not.toMatch(/(?:src|href)=/);
  });

  test.each(["=1+1", "+1", "-1", "@sum", "\t=1", "\r=1"])(
    "lets no cell begin a formula: %j",
    (text) => {
      const csv = toCsv(makeReport(text, PERIOD, hostile(text)));

      const cells = csv.split(/\r\n|,/).filter((cell) => /^"?[=+\-@\t\r]/.test(cell));
      expect(cells).toEqual([]);
      expect(csv).toContain(`'${text}`);
    },
  );

  test("is a table of RFC 4180: quoted where it must be, lines that end with CRLF", () => {
    const csv = toCsv(makeReport('a "b", c\nd', PERIOD, hostile("x")));

    expect(csv).toContain('"a ""b"", c\nd"');
    expect(csv.endsWith("\r\n")).toBe(true);
    expect(csv.replaceAll("\r\n", "").replaceAll("c\nd", "")).not.toMatch(/[\r\n]/);
  });

  test("has an id that follows from its content", () => {
    const one = makeReport("a", PERIOD, hostile("x"));

    expect(makeReport("a", PERIOD, hostile("x")).reportId).toBe(one.reportId);
    expect(makeReport("b", PERIOD, hostile("x")).reportId).not.toBe(one.reportId);
    expect(toJson(one)["report_id"]).toBe(one.reportId);
  });

  test("names each type of event in one activity at most", () => {
    const types = ACTIVITIES.flatMap(({ eventTypes }) => eventTypes);

    expect(new Set(types).size).toBe(types.length);
    expect(activityOf("vote_cast").id).toBe("disputes");
    expect(activityOf("comet_sighted").id).toBe("other");
  });
});
