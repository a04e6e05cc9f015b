import { describe, expect, test } from "vitest";
import { orUnavailable } from "../src/postgres/outage.ts";

describe("an error of the database", () => {
  test.each([
    ["the server refuses connections", { code: "ECONNREFUSED" }],
    ["the connection was reset", { code: "ECONNRESET" }],
    ["the name of the server is not known", { code: "EAI_AGAIN" }],
    ["the server shuts down", { code: "57P01" }],
    ["the server has become a standby", { code: "25006" }],
  ])("counts as an outage when %s", async (_case, fields) => {
    const error = Object.assign(new Error("away"), fields);

    const outcome = orUnavailable(() => Promise.reject(error));

    await expect(outcome).rejects.toMatchObject({ reason: "LEDGER_UNAVAILABLE", cause: error });
  });

  test.each([
    ["a bug in how Node was called", { code: "ERR_INVALID_ARG_TYPE" }],
    ["a broken constraint", { code: "23505" }],
    ["a cancelled statement", { code: "57014" }],
  ])("is told as it is when it is %s", async (_case, fields) => {
    const error = Object.assign(new Error("no outage"), fields);

    await expect(orUnavailable(() => Promise.reject(error))).rejects.toBe(error);
  });
});
