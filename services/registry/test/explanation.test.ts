import { EvidenceStanding } from "@bourse/proto/bourse/registry/v1/evidence_pb.ts";
import { timestampDate, timestampFromDate } from "@bufbuild/protobuf/wkt";
import { describe, expect, test } from "vitest";
import { registryForFile } from "./opened.ts";
import { refused } from "./refused.ts";
import { aClock, anId, aProfile } from "./registry.ts";

const DAY_MS = 86_400_000;
const clock = aClock();
const { registry } = await registryForFile({ now: clock.now });

async function anAgent(): Promise<string> {
  const agentId = anId();
  await registry.operator.registerAgent({ agentId, profile: aProfile() });
  return agentId;
}

interface Told {
  readonly requesterId?: string;
  readonly success?: boolean;
  readonly capability?: string;
  readonly weight?: number;
  readonly endedAt?: Date;
}

async function tell(agentId: string, told: Told = {}): Promise<string> {
  const { requesterId = anId("buyer"), success = true, capability = "Python", weight } = told;
  const outcomeId = anId("outcome");
  await registry.auction.recordOutcome({
    ...{ outcomeId, agentId, requesterId, capability },
    ...(weight !== undefined && { weight }),
    outcome: {
      success,
      estimatedLatency: { seconds: 100n },
      actualLatency: { seconds: 100n },
      price: { micros: 1n, currencyCode: "EUR" },
    },
    endTime: timestampFromDate(told.endedAt ?? clock.now()),
  });
  return outcomeId;
}

async function explain(agentId: string, capability = "") {
  return registry.as("agent:reader").explainReputation({ agentId, capability });
}

async function lowerBound(agentId: string): Promise<number> {
  const { reputation } = await explain(agentId);
  return reputation?.reliabilities[0]?.lowerBound ?? 0;
}

describe("reliability", () => {
  test("is not made by one requester, however often it is satisfied", async () => {
    const [puppet, honest] = [await anAgent(), await anAgent()];
    for (let n = 0; n < 40; n++) await tell(puppet, { requesterId: "sock" });
    for (let n = 0; n < 10; n++) await tell(honest);

    expect(await lowerBound(puppet)).toBeLessThan(0.5);
    expect(await lowerBound(honest)).toBeGreaterThan(0.6);
  });

  test("of an agent that leaves and comes back is what it was", async () => {
    const agentId = await anAgent();
    for (let n = 0; n < 6; n++) await tell(agentId, { requesterId: "one", success: false });
    const before = await explain(agentId);

    await registry.operator.unregisterAgent({ agentId });
    await registry.operator.registerAgent({ agentId, profile: aProfile() });
    await tell(agentId, { requesterId: "one", success: false });

    const after = await explain(agentId);
    expect(after.evidence).toHaveLength(before.evidence.length + 1);
    expect(after.reputation?.reliabilities[0]?.evidence).toBeCloseTo((5 * 7) / 11, 3);
  });
});

describe("ExplainReputation", () => {
  test("adds up to the reliability that it explains", async () => {
    const agentId = await anAgent();
    const day = (n: number) => new Date(clock.now().getTime() - n * DAY_MS);
    await tell(agentId, { requesterId: "a", endedAt: day(100) });
    await tell(agentId, { requesterId: "a", endedAt: day(50), success: false, weight: 3 });
    await tell(agentId, { requesterId: "b", endedAt: day(20) });
    await tell(agentId, { requesterId: "a", endedAt: day(70) });
    await tell(agentId, { requesterId: agentId });
    await tell(agentId, { requesterId: "c", endedAt: day(-3) });
    clock.forward(5 * DAY_MS);

    const { reputation, evidence } = await explain(agentId, "python");

    const counted = (success: boolean) =>
      evidence
        .filter((one) => one.success === success)
        .reduce((sum, one) => sum + one.countedWeight, 0);
    const alpha = 1 + counted(true);
    const beta = 1 + counted(false);
    const reliability = reputation?.reliabilities[0];
    expect(reliability?.mean).toBeCloseTo(alpha / (alpha + beta), 4);
    expect(reliability?.evidence).toBeCloseTo(alpha + beta - 2, 4);
    // The formula of the contract, from what is told beside it.
    for (const one of evidence.filter(({ share }) => share > 0)) {
      const ageMs =
        clock.now().getTime() - timestampDate(one.effectiveTime ?? ({} as never)).getTime();
      const fading = 2 ** (-ageMs / (90 * DAY_MS));
      expect(one.countedWeight).toBeCloseTo(one.weight * fading * one.share, 4);
    }
  });

  test("says how each outcome counts, the last recorded first, with the views after it", async () => {
    const agentId = await anAgent();
    const ids = [
      await tell(agentId, { requesterId: "once" }),
      await tell(agentId, { requesterId: "often" }),
      await tell(agentId, { requesterId: "often" }),
      await tell(agentId, { requesterId: agentId }),
    ];

    const { evidence } = await explain(agentId);

    expect(evidence.map(({ outcomeId }) => outcomeId)).toEqual(ids.toReversed());
    expect(evidence).toMatchObject([
      { standing: EvidenceStanding.SELF_DEALING, share: 0, countedWeight: 0, score: 3 },
      { standing: EvidenceStanding.PAIR_CAPPED, share: 0.833333, score: 3, calibration: 1 },
      { standing: EvidenceStanding.PAIR_CAPPED, requesterId: "often", score: 2 },
      { standing: EvidenceStanding.COUNTED, share: 1, weight: 1, capability: "python", score: 1 },
    ]);
  });

  test("pages through the evidence of one capability, whatever settles meanwhile", async () => {
    const agentId = await anAgent();
    const ids: string[] = [];
    for (let n = 0; n < 5; n++) {
      ids.push(await tell(agentId, { capability: "go" }));
      await tell(agentId, { capability: "python" });
    }
    const page = (pageToken: string) =>
      registry.operator.explainReputation({ agentId, capability: " GO", pageSize: 2, pageToken });

    const first = await page("");
    await tell(agentId, { capability: "go" });
    const second = await page(first.nextPageToken);
    const third = await page(second.nextPageToken);

    const read = [first, second, third].flatMap(({ evidence }) => evidence);
    expect(read.map(({ outcomeId }) => outcomeId)).toEqual(ids.toReversed());
    expect(third.nextPageToken).toBe("");
  });

  test("tells how the score was moved by hand, on the first page", async () => {
    const agentId = await anAgent();
    await registry.operator.adjustReputation({ agentId, delta: 2, reason: "private" });
    await registry.operator.adjustReputation({ agentId, delta: -0.5, reason: "private" });

    const { adjustments, reputation } = await explain(agentId);

    expect(adjustments.map(({ delta }) => delta)).toEqual([-0.5, 2]);
    expect(reputation?.score).toBe(1.5);
  });

  test("reaches a tombstone", async () => {
    const agentId = await anAgent();
    await tell(agentId);
    await registry.operator.unregisterAgent({ agentId });

    expect((await explain(agentId)).evidence).toHaveLength(1);
  });

  test.each`
    reason                  | known    | pageToken
    ${"AGENT_NOT_FOUND"}    | ${false} | ${""}
    ${"INVALID_PAGE_TOKEN"} | ${true}  | ${"abc"}
  `("refuses with $reason", async ({ reason, known, pageToken }) => {
    const agentId = known ? await anAgent() : anId();

    const call = registry.operator.explainReputation({ agentId, pageToken });

    expect(await refused(call)).toMatchObject({ reason });
  });
});
