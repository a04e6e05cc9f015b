import { timestampDate } from "@bufbuild/protobuf/wkt";
import { rejectFaults } from "./limit.ts";

/** A time to the millisecond. Throws INVALID_REQUEST when it is outside the years 1 to 9999. */
export function decodeTime(
  field: string,
  timestamp: Parameters<typeof timestampDate>[0] | undefined,
): Date | undefined {
  if (timestamp === undefined) return undefined;
  // Rounded up, so the last instant of the last year may come out a millisecond too late.
  const ms = timestampDate(timestamp).getTime();
  const inRange = ms >= YEAR_1_MS && ms <= YEAR_10000_MS;
  const description = "must be in the years 1 to 9999";
  rejectFaults([inRange ? undefined : { field, reason: "TIMESTAMP_RANGE", description }]);
  return new Date(Math.min(ms, YEAR_10000_MS - 1));
}

const YEAR_1_MS = Date.parse("0001-01-01T00:00:00Z");
const YEAR_10000_MS = Date.parse("9999-12-31T23:59:59.999Z") + 1;
