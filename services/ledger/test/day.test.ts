import { describe, expect, test } from "vitest";
import { daysOf, isTimeZone } from "../src/day.ts";

describe("the days of a range", () => {
  test.each([
    ["UTC", "2026-03-01T00:00:00Z", "2026-03-02T00:00:00Z", ["2026-03-01T00:00:00.000Z"]],
    [
      "UTC",
      "2026-03-01T23:59:59.999Z",
      "2026-03-02T00:00:00.001Z",
      ["2026-03-01T00:00:00.000Z", "2026-03-02T00:00:00.000Z"],
    ],
    // Clocks go forward: a day of 23 hours.
    [
      "Europe/Berlin",
      "2026-03-28T23:00:00Z",
      "2026-03-30T12:00:00Z",
      ["2026-03-28T23:00:00.000Z", "2026-03-29T22:00:00.000Z"],
    ],
    // Clocks go forward at midnight: the day begins at one o'clock.
    [
      "Africa/Cairo",
      "2026-04-23T22:00:00Z",
      "2026-04-24T22:00:00Z",
      ["2026-04-23T22:00:00.000Z", "2026-04-24T21:00:00.000Z"],
    ],
  ])("in %s, from %s to %s, begin where its clocks say", (zone, from, until, begins) => {
    const days = daysOf(new Date(from), new Date(until), zone);

    expect(days.map((day) => day.from.toISOString())).toEqual(begins);
  });

  test("bear the names of the calendar", () => {
    const [day] = daysOf(
      new Date("2026-02-28T23:30:00Z"),
      new Date("2026-03-01T00:00:00Z"),
      "Asia/Tokyo",
    );

    expect(day?.name).toBe("2026-03-01");
  });
});

test.each([
  ["UTC", true],
  ["Europe/Berlin", true],
  ["Etc/GMT+5", true],
  ["Mars/Olympus", false],
  ["+01:00", false],
  ["", false],
])("%j is a time zone: %j", (name, is) => {
  expect(isTimeZone(name)).toBe(is);
});
