import {
  ConfigError,
  callerVariables,
  commonVariables,
  duration,
  filePath,
  flag,
  listenAddress,
  peerAddress,
  postgresUrl,
  readConfig,
  redisUrl,
  variablesOf,
  wholeNumber,
} from "@bourse/service";
import { describe, expect, test } from "vitest";

const shape = {
  LISTEN: listenAddress.default("0.0.0.0:7401").describe("where to listen"),
  DATABASE_URL: postgresUrl.describe("the database"),
  REDIS_URL: redisUrl.describe("the store").optional(),
  WINDOW_MS: wholeNumber({ min: 1, max: 1_000 }).default(50).describe("how long to wait"),
  STRICT: flag.default(false),
};

function faultsOf(env: Readonly<Record<string, string>>): readonly string[] {
  try {
    readConfig(shape, env);
    return [];
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    return error.faults.map(({ variable, problem }) => `${variable} ${problem}`);
  }
}

describe("a configuration", () => {
  test("is read from the environment, with defaults for what is unset or empty", () => {
    const config = readConfig(shape, {
      DATABASE_URL: "postgres://postgres@localhost/x",
      WINDOW_MS: "",
      STRICT: "true",
      OTHER: "ignored",
    });

    expect(config).toEqual({
      LISTEN: "0.0.0.0:7401",
      DATABASE_URL: "postgres://postgres@localhost/x",
      REDIS_URL: undefined,
      WINDOW_MS: 50,
      STRICT: true,
    });
    expect(Object.isFrozen(config)).toBe(true);
  });

  test("names all that is missing or wrong at once, what is expected, and no value", () => {
    expect(faultsOf({ REDIS_URL: "s3cret", WINDOW_MS: "1001", STRICT: "yes" })).toEqual([
      "DATABASE_URL is missing: the database",
      "REDIS_URL is wrong (expected redis://host:port): the store",
      "WINDOW_MS is wrong (expected a whole number from 1 to 1000): how long to wait",
      "STRICT is wrong (expected true or false)",
    ]);
  });

  test("that is wrong is one message of one line per variable", () => {
    expect(() => readConfig(shape, { WINDOW_MS: "x" })).toThrow(
      "the configuration is wrong:\n" +
        "  DATABASE_URL is missing: the database\n" +
        "  WINDOW_MS is wrong (expected a whole number from 1 to 1000): how long to wait",
    );
  });

  test("can be listed for documents and deployments", () => {
    expect(variablesOf(shape)).toEqual([
      {
        name: "LISTEN",
        required: false,
        default: "0.0.0.0:7401",
        description: "where to listen",
      },
      { name: "DATABASE_URL", required: true, default: undefined, description: "the database" },
      { name: "REDIS_URL", required: false, default: undefined, description: "the store" },
      { name: "WINDOW_MS", required: false, default: "50", description: "how long to wait" },
      { name: "STRICT", required: false, default: "false", description: "" },
    ]);
  });

  test("of every service needs a port and the public keys, and describes each variable", () => {
    const variables = variablesOf(commonVariables);

    expect(variables.filter((v) => v.required).map((v) => v.name)).toEqual([
      "BOURSE_LISTEN",
      "BOURSE_JWKS_FILE",
    ]);
    expect(variables.filter((v) => v.description === "")).toEqual([]);
  });

  test("of a service that calls others needs its own key, too", () => {
    const variables = variablesOf({ ...commonVariables, ...callerVariables });

    expect(variables.find((v) => v.name === "BOURSE_KEY_FILE")?.required).toBe(true);
    expect(variables).toHaveLength(variablesOf(commonVariables).length);
  });
});

describe("a variable", () => {
  test.each([
    ["listenAddress", listenAddress, "127.0.0.1:0", true],
    ["listenAddress", listenAddress, "[::]:7401", true],
    ["listenAddress", listenAddress, "localhost:65535", true],
    ["listenAddress", listenAddress, "localhost:65536", false],
    ["listenAddress", listenAddress, "localhost", false],
    ["listenAddress", listenAddress, ":7401", false],
    ["listenAddress", listenAddress, "http://localhost:7401", false],
    ["peerAddress", peerAddress, "ledger:7403", true],
    ["peerAddress", peerAddress, "dns:///ledger.bourse:7403", true],
    ["peerAddress", peerAddress, "dns://ledger:7403", false],
    ["postgresUrl", postgresUrl, "postgresql://u:p@h:5432/d?sslmode=require", true],
    ["postgresUrl", postgresUrl, "mysql://h/d", false],
    ["postgresUrl", postgresUrl, "localhost", false],
    ["redisUrl", redisUrl, "redis://h:6379", true],
    ["redisUrl", redisUrl, "rediss://a:1,rediss://b:2", true],
    ["redisUrl", redisUrl, "redis://a:1,b:2", false],
    ["flag", flag, "false", true],
    ["flag", flag, "1", false],
    ["filePath", filePath, "/keys/jwks.json", true],
    ["duration 1s..2d", duration({ min: "1s", max: "2d" }), "1000ms", true],
    ["duration 1s..2d", duration({ min: "1s", max: "2d" }), "48h", true],
    ["duration 1s..2d", duration({ min: "1s", max: "2d" }), "49h", false],
    ["duration 1s..2d", duration({ min: "1s", max: "2d" }), "999ms", false],
    ["duration 1s..2d", duration({ min: "1s", max: "2d" }), "1", false],
    ["duration 1s..2d", duration({ min: "1s", max: "2d" }), "1.5h", false],
    ["wholeNumber 0..9", wholeNumber({ min: 0, max: 9 }), "9", true],
    ["wholeNumber 0..9", wholeNumber({ min: 0, max: 9 }), "-1", false],
    ["wholeNumber 0..9", wholeNumber({ min: 0, max: 9 }), "1.5", false],
    ["wholeNumber 0..9", wholeNumber({ min: 0, max: 9 }), "1e0", false],
    ["wholeNumber 0..9", wholeNumber({ min: 0, max: 9 }), " 1", false],
  ])("of kind %s takes the right texts (%#)", (_name, schema, text, valid) => {
    expect(schema.safeParse(text).success, text).toBe(valid);
  });
});
