/// <reference lib="esnext.temporal" />

/** A day of a calendar, as a stretch of time. */
export interface Day {
  /** Such as `2026-11-21`. */
  readonly name: string;
  readonly from: Date;
}

/** Whether days can be told by this zone: a name of the IANA database. */
export function isTimeZone(name: string): boolean {
  // Offsets such as +01:00 are zones too, but no names.
  if (!/^[A-Za-z]/.test(name)) return false;
  try {
    Temporal.Instant.fromEpochMilliseconds(0).toZonedDateTimeISO(name);
    return true;
  } catch (error) {
    if (error instanceof RangeError) return false;
    throw error;
  }
}

/** The days of a zone from the one that `from` lies in to the last that begins before `until`. */
export function daysOf(from: Date, until: Date, timeZone: string): readonly Day[] {
  const end = Temporal.Instant.fromEpochMilliseconds(until.getTime());
  const start = Temporal.Instant.fromEpochMilliseconds(from.getTime());
  const days: Day[] = [];
  let day = start.toZonedDateTimeISO(timeZone).toPlainDate();
  for (;;) {
    // Where clocks go forward at midnight, the day begins later.
    const begin = day.toZonedDateTime({ timeZone }).toInstant();
    if (Temporal.Instant.compare(begin, end) >= 0) return days;
    days.push({ name: day.toString(), from: new Date(begin.epochMilliseconds) });
    day = day.add({ days: 1 });
  }
}
