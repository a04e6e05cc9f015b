import type { RecordOutcomeRequestSchema } from "@bourse/proto/bourse/registry/v1/registry_service_pb.ts";
import { applyOutcome, initialReputation } from "@bourse/scoring";
import type { MessageInitShape } from "@bufbuild/protobuf";
import { timestampFromDate } from "@bufbuild/protobuf/wkt";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { reputationFromJson, reputationToJson } from "../src/reputation-json.ts";
import { registryForFile } from "./opened.ts";
import { refused } from "./refused.ts";
import { anId, aProfile } from "./registry.ts";

const { registry } = await registryForFile();

async function anAgent(): Promise<string> {
  const agentId = anId();
  await registry.operator.registerAgent({ agentId, profile: aProfile() });
  return agentId;
}

type OutcomeInit = Exclude<
  MessageInitShape<typeof RecordOutcomeRequestSchema>,
  { $typeName: string }
>;

function anOutcome(agentId: string, overrides: OutcomeInit = {}): OutcomeInit {
  return {
    outcomeId: anId("outcome"),
    agentId,
    requesterId: "buyer",
    capability: "Python",
    outcome: {
      success: true,
      estimatedLatency: { seconds: 1_500n },
      actualLatency: { seconds: 1_380n },
      price: { micros: 2_300_000n, currencyCode: "EUR" },
    },
    endTime: timestampFromDate(new Date()),
    ...overrides,
  };
}

const reputation = async (agentId: string) => {
  const { agent } = await registry.operator.getAgent({ agentId, includeUnregistered: true });
  return agent?.reputation;
};

describe("RecordOutcome", () => {
  test("folds a success into every view", async () => {
    const agentId = await anAgent();

    const { before, after } = await registry.auction.recordOutcome(anOutcome(agentId));

    expect(before).toMatchObject({ score: 0, completedTasks: 0n, reliabilities: [] });
    expect(after).toMatchObject({
      score: 1,
      // 0.7 * 1 + 0.3 * (0.6 * 0.92 + 0.4 * 1)
      calibration: 0.9856,
      multiplier: 2,
      completedTasks: 1n,
      failedTasks: 0n,
      meanLatency: { seconds: 1_380n },
      reliabilities: [{ capability: "python", evidence: 1 }],
    });
    expect(await reputation(agentId)).toMatchObject({ score: 1, completedTasks: 1n });
  });

  test("steps down for a failure, by its weight, and not below 0", async () => {
    const agentId = await anAgent();
    await registry.operator.adjustReputation({ agentId, delta: 2, reason: "start" });
    const outcome = {
      success: false,
      estimatedLatency: { seconds: 9n },
      price: anOutcome("").outcome?.price,
    };

    const first = await registry.auction.recordOutcome(
      anOutcome(agentId, { outcome, weight: 0.5 } as OutcomeInit),
    );
    const second = await registry.auction.recordOutcome(
      anOutcome(agentId, { outcome, weight: 5 } as OutcomeInit),
    );

    expect(first.after).toMatchObject({ score: 1.5, failedTasks: 1n, multiplier: 0.5 });
    expect(second.after?.score).toBe(0);
  });

  test("counts an outcome once, and answers its repetition with the same figures", async () => {
    const agentId = await anAgent();
    const outcome = anOutcome(agentId);
    const first = await registry.auction.recordOutcome(outcome);
    await registry.auction.recordOutcome(anOutcome(agentId));

    const again = await registry.auction.recordOutcome(outcome);

    expect(again).toEqual(first);
    expect((await reputation(agentId))?.completedTasks).toBe(2n);
  });

  test("of 20 callers with one outcome counts it once and answers all alike", async () => {
    const agentId = await anAgent();
    const outcome = anOutcome(agentId);

    const answers = await Promise.all(
      Array.from({ length: 20 }, () => registry.auction.recordOutcome(outcome)),
    );

    for (const answer of answers) expect(answer).toEqual(answers[0]);
    expect((await reputation(agentId))?.completedTasks).toBe(1n);
  });

  test("loses none of 20 outcomes at once", async () => {
    const agentId = await anAgent();

    await Promise.all(
      Array.from({ length: 20 }, () => registry.auction.recordOutcome(anOutcome(agentId))),
    );

    expect(await reputation(agentId)).toMatchObject({ completedTasks: 20n, score: 5 });
  });

  test.each`
    reason                 | code               | known    | reused
    ${"AGENT_NOT_FOUND"}   | ${"NotFound"}      | ${false} | ${true}
    ${"OUTCOME_ID_REUSED"} | ${"AlreadyExists"} | ${true}  | ${true}
  `("refuses with $reason", async ({ reason, code, known, reused }) => {
    const outcomeId = anId("outcome");
    if (reused) await registry.auction.recordOutcome(anOutcome(await anAgent(), { outcomeId }));
    const agentId = known ? await anAgent() : anId();

    const refusal = await refused(
      registry.auction.recordOutcome(anOutcome(agentId, { outcomeId })),
    );

    expect(refusal).toMatchObject({ reason, code });
    if (known) expect((await reputation(agentId))?.completedTasks).toBe(0n);
  });

  test("keeps work that the agent ordered itself, and does not count it", async () => {
    const agentId = await anAgent();
    const outcome = anOutcome(agentId, { requesterId: agentId });

    const first = await registry.auction.recordOutcome(outcome);
    const again = await registry.auction.recordOutcome(outcome);

    expect(first.after).toEqual(first.before);
    expect(again).toEqual(first);
    expect(await reputation(agentId)).toMatchObject({ score: 0, completedTasks: 0n });
    const { rows } = await registry.pool.query("select counted from outcomes where id = $1", [
      outcome.outcomeId,
    ]);
    expect(rows).toEqual([{ counted: false }]);
  });

  test("reaches a tombstone, whose reputation comes back with it", async () => {
    const agentId = await anAgent();
    await registry.operator.unregisterAgent({ agentId });

    await registry.auction.recordOutcome(anOutcome(agentId));
    const { agent } = await registry.operator.registerAgent({ agentId, profile: aProfile() });

    expect(agent?.reputation?.score).toBe(1);
  });

  test.each(["operator", "agent:someone", "service:discovery"])("is refused to %s", async (who) => {
    const call = registry.as(who).recordOutcome(anOutcome(await anAgent()));

    expect(await refused(call)).toMatchObject({ reason: "PERMISSION_DENIED" });
  });

  test.each([
    { field: "weight", overrides: { weight: 0 } },
    { field: "weight", overrides: { weight: Number.NaN } },
    { field: "weight", overrides: { weight: -1 } },
    { field: "outcome", overrides: { outcome: undefined } },
    { field: "end_time", overrides: { endTime: undefined } },
    { field: "outcome_id", overrides: { outcomeId: "" } },
    { field: "outcome_id", overrides: { outcomeId: "a\0" } },
    { field: "capability", overrides: { capability: "\0" } },
  ])("with a wrong $field is refused with INVALID_REQUEST", async ({ field, overrides }) => {
    const agentId = await anAgent();

    const call = registry.auction.recordOutcome(anOutcome(agentId, overrides as OutcomeInit));

    expect(await refused(call)).toMatchObject({ reason: "INVALID_REQUEST", fields: [field] });
  });
});

describe("AdjustReputation", () => {
  test("moves the score within 0 to 5 and keeps why and who", async () => {
    const agentId = await anAgent();
    const adjust = async (delta: number) =>
      (await registry.operator.adjustReputation({ agentId, delta, reason: "because" })).reputation
        ?.score;

    expect([await adjust(1.5), await adjust(5), await adjust(-0.25), await adjust(-5)]).toEqual([
      1.5, 5, 4.75, 0,
    ]);
    const { rows } = await registry.pool.query(
      "select delta_ppm, reason, made_by from adjustments where agent_id = $1 order by version",
      [agentId],
    );
    expect(rows[0]).toEqual({ delta_ppm: "1500000", reason: "because", made_by: "operator" });
    expect(rows).toHaveLength(4);
  });

  test("of a repeated request counts once", async () => {
    const agentId = await anAgent();
    const request = { agentId, delta: 1, reason: "x", requestId: anId("request") };

    await Promise.all(Array.from({ length: 5 }, () => registry.operator.adjustReputation(request)));

    expect((await reputation(agentId))?.score).toBe(1);
  });

  test("of nobody is refused with AGENT_NOT_FOUND", async () => {
    const call = registry.operator.adjustReputation({ agentId: anId(), delta: 1, reason: "x" });

    expect(await refused(call)).toMatchObject({ reason: "AGENT_NOT_FOUND" });
  });

  test.each([
    { field: "delta", delta: 5.1, reason: "x" },
    { field: "delta", delta: Number.NaN, reason: "x" },
    { field: "delta", delta: Number.POSITIVE_INFINITY, reason: "x" },
    { field: "reason", delta: 1, reason: "" },
    { field: "reason", delta: 1, reason: "\0" },
  ])("with $field $delta '$reason' is refused with INVALID_REQUEST", async (wrong) => {
    const { field, ...request } = wrong;
    const call = registry.operator.adjustReputation({ agentId: await anAgent(), ...request });

    expect(await refused(call)).toMatchObject({ reason: "INVALID_REQUEST", fields: [field] });
  });
});

test("a reputation comes back from the database as it went in", () => {
  const outcome = fc.record({
    success: fc.boolean(),
    capabilities: fc.array(fc.stringMatching(/^[a-z]{1,4}$/), { maxLength: 3 }),
    estimatedLatencyMs: fc.bigInt(0n, 10n ** 10n),
    actualLatencyMs: fc.bigInt(0n, 10n ** 10n),
    weightPpm: fc.bigInt(0n, 5_000_000n),
  });
  fc.assert(
    fc.property(fc.array(fc.tuple(outcome, fc.nat(2 ** 40)), { maxLength: 20 }), (outcomes) => {
      const reputation = outcomes.reduce(
        (before, [each, ms]) => applyOutcome(before, each, new Date(ms)),
        initialReputation(),
      );

      const json = JSON.parse(JSON.stringify(reputationToJson(reputation)));

      expect(reputationFromJson(json)).toEqual(reputation);
    }),
  );
});

describe("BatchGetOutcomes", () => {
  test("returns what was recorded with the calibration it made, in the order asked for", async () => {
    const agentId = await anAgent();
    const [first, own] = [anOutcome(agentId), anOutcome(agentId, { requesterId: agentId })];
    const { after } = await registry.auction.recordOutcome(first);
    await registry.auction.recordOutcome(own);
    const outcomeIds = [own.outcomeId ?? "", "nobody's", first.outcomeId ?? ""];

    const { outcomes } = await registry.operator.batchGetOutcomes({ outcomeIds });

    expect(after?.calibration).toBeLessThan(1);
    expect(outcomes).toMatchObject([
      { outcomeId: own.outcomeId, agentId, counted: false, calibration: after?.calibration },
      { outcomeId: first.outcomeId, agentId, counted: true, calibration: after?.calibration },
    ]);
  });
});
