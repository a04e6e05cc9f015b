import type { FinishedCall } from "@bourse/rpc";
import { createMetrics, observeCall } from "@bourse/telemetry";
import { describe, expect, test } from "vitest";
import { recordedLogger } from "./lines.ts";

function aCall(init: Partial<FinishedCall> = {}): FinishedCall {
  return {
    method: "bourse.ledger.v1.LedgerService/GetBalances",
    kind: "unary",
    code: "ok",
    reason: "",
    durationMs: 12.3456,
    principal: "agent:a1",
    requestId: "r1",
    traceId: "t1",
    ...init,
  };
}

function observed(call: FinishedCall, level: "info" | "debug" | "silent" = "debug") {
  const { logger, objects } = recordedLogger({ level });
  const metrics = createMetrics({ service: "ledger" });
  observeCall(logger, metrics)(call);
  return { objects, metrics };
}

describe("a finished call", () => {
  test("is one line of what happened", () => {
    expect(observed(aCall()).objects()).toEqual([
      {
        level: "debug",
        service: "ledger",
        event: "rpc",
        method: "bourse.ledger.v1.LedgerService/GetBalances",
        code: "ok",
        ms: 12.346,
        principal: "agent:a1",
        request_id: "r1",
        trace_id: "t1",
        msg: "bourse.ledger.v1.LedgerService/GetBalances ok",
      },
    ]);
  });

  test("has its reason when it was refused", () => {
    const call = aCall({ code: "not_found", reason: "ACCOUNT_NOT_FOUND" });

    expect(observed(call).objects()[0]).toMatchObject({
      level: "info",
      code: "not_found",
      reason: "ACCOUNT_NOT_FOUND",
    });
  });

  test("has its cause with the stack when it is a bug", () => {
    const call = aCall({ code: "internal", reason: "INTERNAL", error: new TypeError("x of null") });

    expect(observed(call).objects()).toEqual([
      expect.objectContaining({
        level: "error",
        reason: "INTERNAL",
        err: expect.objectContaining({
          type: "TypeError",
          message: "x of null",
          stack: expect.stringContaining("call.test.ts"),
        }),
      }),
    ]);
  });

  test.each([
    ["ok", "debug"],
    ["permission_denied", "info"],
    ["canceled", "info"],
    ["unavailable", "warn"],
    ["deadline_exceeded", "warn"],
    ["resource_exhausted", "warn"],
    ["internal", "error"],
    ["unknown", "error"],
  ])("with code %s is logged at %s", (code, level) => {
    expect(observed(aCall({ code })).objects()[0]?.["level"]).toBe(level);
  });

  test.each(["grpc.health.v1.Health/Check", "grpc.reflection.v1.ServerReflection/Info"])(
    "of %s is only worth a debug line",
    (method) => {
      expect(observed(aCall({ method }), "info").objects()).toEqual([]);
      expect(observed(aCall({ method }), "debug").objects()).toHaveLength(1);
    },
  );

  test("is measured in seconds by service, method and code, also in silence", async () => {
    const { metrics } = observed(aCall({ code: "not_found", durationMs: 20 }), "silent");

    const labels = {
      grpc_service: "bourse.ledger.v1.LedgerService",
      grpc_method: "GetBalances",
      grpc_code: "not_found",
    };
    expect((await metrics.calls.handled.get()).values).toEqual([{ value: 1, labels }]);
    const { values } = await metrics.calls.handlingSeconds.get();
    expect(values.find(({ metricName }) => metricName?.endsWith("_sum"))).toMatchObject({
      value: 0.02,
      labels,
    });
    expect(values.find((v) => le(v) === 0.01)?.value).toBe(0);
    expect(values.find((v) => le(v) === 0.025)?.value).toBe(1);
  });

  test("of a method that does not exist makes no series of its own", async () => {
    const { metrics } = observed(aCall({ method: "made.Up/Name", code: "unimplemented" }));

    const text = await metrics.registry.metrics();
    expect(text).not.toContain("made.Up");
    expect(text).toContain('grpc_server_handled_total{grpc_service="unknown"');
  });
});

function le({ labels }: { readonly labels: object }): number | undefined {
  return (labels as { readonly le?: number }).le;
}
