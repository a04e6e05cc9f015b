import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { describeError } from "@bourse/telemetry";
import { describe, expect, test } from "vitest";
import { recordedLogger } from "./lines.ts";

describe("the log", () => {
  test("is one JSON object per line with time, level as a word, service and message", () => {
    const { logger, lines } = recordedLogger();

    logger.info({ ms: 1.5 }, "two\nlines");

    expect(lines).toHaveLength(1);
    expect(JSON.parse(lines[0] ?? "")).toEqual({
      level: "info",
      time: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/),
      service: "ledger",
      ms: 1.5,
      msg: "two\nlines",
    });
  });

  test("leaves out what is below its level", () => {
    const { logger, objects } = recordedLogger({ level: "warn" });

    logger.info("quiet");
    logger.warn("loud");

    expect(objects().map((line) => line["msg"])).toEqual(["loud"]);
  });

  test("is one readable line, without colours where nobody sees them, when it is pretty", () => {
    const { logger, lines } = recordedLogger({ format: "pretty" });

    logger.warn({ code: "not_found" }, "hello");

    expect(lines).toHaveLength(1);
    expect(lines[0]).toMatch(
      /^\[\d\d:\d\d:\d\d\.\d{3}\] WARN: ledger: hello \{"code":"not_found"\}$/,
    );
  });

  test("shows the stack of an error in pretty, too", () => {
    const { logger, lines } = recordedLogger({ format: "pretty" });

    logger.error({ err: new TypeError("boom") }, "failed");

    expect(lines.join("\n")).toContain("TypeError: boom");
    expect(lines.join("\n")).toContain("logger.test.ts");
  });

  test("drops lines rather than memory when nobody takes them", async () => {
    const program = `
      const { createLogger } = await import("@bourse/telemetry");
      const logger = createLogger({ service: "s" });
      const text = "x".repeat(1_000);
      for (let turn = 0; turn < 100; turn += 1) {
        for (let i = 0; i < 1_000; i += 1) logger.info({ turn, i }, text);
        await new Promise(setImmediate);
      }
      globalThis.gc();
      process.stderr.write(String(Math.round(process.memoryUsage().heapUsed / 1e6)));`;
    const child = spawn(
      process.execPath,
      ["--expose-gc", "--max-old-space-size=500", "--input-type=module", "-e", program],
      { cwd: fileURLToPath(new URL(".", import.meta.url)), stdio: ["ignore", "pipe", "pipe"] },
    );
    try {
      const [megabytes] = (await once(child.stderr, "data")) as [Buffer];

      expect(Number(megabytes.toString())).toBeLessThan(60);
    } finally {
      child.kill("SIGKILL");
    }
  });

  test.each(["json", "pretty"])(
    "loses no %s line when the process throws or exits",
    async (format) => {
      const program = `
      const { createLogger } = await import("@bourse/telemetry");
      const logger = createLogger({ service: "s", format: process.argv[1] });
      for (let i = 1; i <= 1000; i += 1) logger.info("line " + i);
      if (process.argv[2] === "throw") throw new Error("boom");
      process.exit(7);`;

      for (const way of ["throw", "exit"]) {
        const { stdout } = await node(["--input-type=module", "-e", program, format, way]);
        expect(stdout.match(/line \d+/g)).toHaveLength(1_000);
        expect(stdout).toContain("line 1000");
      }
    },
  );
});

describe("an error in the log", () => {
  test("has its type, message, stack, code and causes", () => {
    const cause = Object.assign(new Error("refused"), { code: "ECONNREFUSED" });

    const { logger, objects } = recordedLogger();
    logger.error({ err: new RangeError("no answer", { cause }) }, "failed");

    expect(objects()[0]?.["err"]).toEqual({
      type: "RangeError",
      message: "no answer",
      stack: expect.stringContaining("logger.test.ts"),
      cause: expect.objectContaining({ type: "Error", message: "refused", code: "ECONNREFUSED" }),
    });
  });

  test("has the constraint of a database error and none of the data", () => {
    const error = Object.assign(new Error("duplicate key"), {
      code: "23505",
      constraint: "agents_pkey",
      detail: "Key (id)=(s3cret) already exists.",
      where: "s3cret",
      parameters: ["s3cret"],
    });

    const described = describeError(error);

    expect(described).toMatchObject({ code: "23505", constraint: "agents_pkey" });
    expect(JSON.stringify(described)).not.toContain("s3cret");
  });

  test("may be anything that was thrown", () => {
    expect(describeError("boom")).toEqual({ type: "string", message: "boom" });
    expect(describeError(undefined)).toEqual({ type: "undefined", message: "undefined" });
    expect(describeError(Object.create(null))).toEqual({
      type: "object",
      message: "[object Object]",
    });
  });

  test("that is its own cause ends", () => {
    const error = new Error("loop");
    error.cause = error;

    expect(JSON.stringify(describeError(error)).match(/"message":"loop"/g)).toHaveLength(6);
  });

  test("of many errors shows each", () => {
    const error = new AggregateError([new Error("first"), new Error("second")], "all failed");

    expect(describeError(error)).toMatchObject({
      errors: [{ message: "first" }, { message: "second" }],
    });
  });
});

async function node(parameters: readonly string[]): Promise<{ readonly stdout: string }> {
  const cwd = fileURLToPath(new URL(".", import.meta.url));
  try {
    return await promisify(execFile)(process.execPath, parameters, { cwd });
  } catch (error) {
    return error as { stdout: string };
  }
}
