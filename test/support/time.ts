import { type Duration, durationFromMs } from "@bufbuild/protobuf/wkt";

export function minutes(count: number): Duration {
  return seconds(count * 60);
}

export function seconds(count: number): Duration {
  return durationFromMs(Math.round(count * 1_000));
}
