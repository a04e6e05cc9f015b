import { ceilDivide, floorDivide, PPM, within } from "./ratio.ts";

/** Calibration of an agent that has not worked yet. */
export const INITIAL_CALIBRATION_PPM = PPM;

/**
 * `0.7 * old + 0.3 * new` where `new = 0.6 * latency accuracy + 0.4 * success rate`, all in ppm.
 * Rounded towards `new`, so that an agent that keeps doing the same arrives there instead of
 * sticking one unit short. Stays in 0..1.
 */
export function nextCalibrationPpm(step: {
  readonly oldPpm: bigint;
  readonly latencyAccuracyPpm: bigint;
  readonly successRatePpm: bigint;
}): bigint {
  const old = within("oldPpm", step.oldPpm, 0n, PPM);
  const accuracy = within("latencyAccuracyPpm", step.latencyAccuracyPpm, 0n, PPM);
  const rate = within("successRatePpm", step.successRatePpm, 0n, PPM);
  const hundredth = 70n * old + 18n * accuracy + 12n * rate;
  const rises = 60n * accuracy + 40n * rate > 100n * old;
  return rises ? ceilDivide(hundredth, 100n) : floorDivide(hundredth, 100n);
}
