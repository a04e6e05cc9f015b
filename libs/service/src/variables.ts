import { z } from "zod";

const PORT_MAX = 65_535;

/** `host:port` to listen on; port 0 is a free one. */
export const listenAddress = z
  .string()
  .refine(isHostAndPort, "expected host:port, such as 0.0.0.0:7401");

/**
 * Where a peer is: `host:port`, or `dns:///name:port` to spread calls over all addresses of a name.
 */
export const peerAddress = z
  .string()
  .refine(
    (text) => isHostAndPort(text.replace(/^dns:\/\/\//, "")),
    "expected host:port or dns:///name:port",
  );

/** A PostgreSQL URL. */
export const postgresUrl = z
  .string()
  .refine(isUrlOf(["postgres:", "postgresql:"]), "expected postgres://user@host:port/database");

/** A Redis URL; several nodes of a cluster are separated by commas. */
export const redisUrl = z
  .string()
  .refine(
    (text) => text.split(",").every(isUrlOf(["redis:", "rediss:"])),
    "expected redis://host:port",
  );

/** A path of a file. */
export const filePath = z.string().min(1);

/** `true` or `false`. */
export const flag = z
  .enum(["true", "false"], { error: "expected true or false" })
  .transform((text) => text === "true");

/** A whole number from `min` to `max`, both included. */
export function wholeNumber(limits: { readonly min: number; readonly max: number }) {
  const { min, max } = limits;
  const expected = `expected a whole number from ${min} to ${max}`;
  return z
    .string()
    .regex(/^-?\d{1,15}$/, expected)
    .transform(Number)
    .refine((number) => number >= min && number <= max, expected);
}

/** A time such as `30d`, `72h`, `45m`, `10s` or `500ms`, from `min` to `max`, in milliseconds. */
export function duration(limits: { readonly min: string; readonly max: string }) {
  const [min, max] = [durationMs(limits.min), durationMs(limits.max)];
  const expected = `expected a whole number and d, h, m, s or ms, from ${limits.min} to ${limits.max}`;
  return z
    .string()
    .regex(DURATION, expected)
    .transform(durationMs)
    .refine((ms) => ms >= min && ms <= max, expected);
}

const DURATION = /^(\d{1,12})(d|h|m|s|ms)$/;
const UNITS_MS: Readonly<Record<string, number>> = {
  d: 86_400_000,
  h: 3_600_000,
  m: 60_000,
  s: 1_000,
  ms: 1,
};

function durationMs(text: string): number {
  const [, count, unit = ""] = DURATION.exec(text) ?? [];
  return Number(count) * (UNITS_MS[unit] ?? Number.NaN);
}

/**
 * What every service reads. A service lists its own port by `BOURSE_LISTEN:
 * listenAddress.default("0.0.0.0:7401")`.
 */
export const commonVariables = {
  BOURSE_LISTEN: listenAddress.describe("host:port of the gRPC server"),
  BOURSE_METRICS_LISTEN: listenAddress
    .optional()
    .describe("host:port of /metrics and /healthz over HTTP; unset means no such port"),
  BOURSE_JWKS_FILE: filePath.describe(
    "file with the public keys (JWKS) that tokens are checked with",
  ),
  BOURSE_KEY_FILE: filePath
    .optional()
    .describe("file with the private key (JWK) that signs the service's own tokens"),
  BOURSE_LOG: z
    .enum(["json", "pretty"], { error: "expected json or pretty" })
    .default("json")
    .describe("format of the log on stdout: json for machines, pretty for people"),
  BOURSE_LOG_LEVEL: z
    .enum(["trace", "debug", "info", "warn", "error", "fatal", "silent"], {
      error: "expected trace, debug, info, warn, error, fatal or silent",
    })
    .default("info")
    .describe("least level that is logged"),
  BOURSE_DRAIN_MS: wholeNumber({ min: 0, max: 600_000 })
    .default(10_000)
    .describe("milliseconds that running calls have to end when the service stops"),
  BOURSE_MIGRATE_ONLY: flag
    .default(false)
    .describe("true: bring the database up to date and end, for a job that runs before a roll-out"),
  BOURSE_VERSION: z
    .string()
    .optional()
    .describe("version that the service reports; unset means that of its package"),
} as const;

/**
 * For a service that calls others: `BOURSE_KEY_FILE` is required. Spread it after
 * `commonVariables`.
 */
export const callerVariables = {
  BOURSE_KEY_FILE: filePath.describe(
    "file with the private key (JWK) that signs the service's own tokens",
  ),
} as const;

function isHostAndPort(text: string): boolean {
  const match = /^(\[[0-9a-fA-F:]+\]|[A-Za-z0-9._-]+):(\d{1,5})$/.exec(text);
  return match !== null && Number(match[2]) <= PORT_MAX;
}

function isUrlOf(protocols: readonly string[]): (text: string) => boolean {
  return (text) => URL.canParse(text) && protocols.includes(new URL(text).protocol);
}
