const UNIT_MS: Readonly<Record<string, number>> = {
  H: 3_600_000,
  M: 60_000,
  S: 1_000,
  m: 1,
  u: 1e-3,
  n: 1e-6,
};

/**
 * When a call must be answered, in milliseconds since the epoch, from the header `grpc-timeout`:
 * Infinity without one, NaN for one that is not as the specification of gRPC has it.
 */
export function deadlineOf(timeout: string | undefined): number {
  if (timeout === undefined) return Number.POSITIVE_INFINITY;
  const [, digits = "", unit = ""] = /^(\d{1,8})([HMSmun])$/.exec(timeout) ?? [];
  return Date.now() + Number.parseInt(digits, 10) * (UNIT_MS[unit] ?? Number.NaN);
}
